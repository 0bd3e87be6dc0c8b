{#- True for NaN and infinity, which slip past `not_null` and comparisons. -#}
{% macro is_not_finite(value) -%}{{ return(adapter.dispatch("is_not_finite", "barograph")(value)) }}{%- endmacro %}
{% macro duckdb__is_not_finite(value) -%}not isfinite({{ value }}){%- endmacro %}
{% macro spark__is_not_finite(value) -%}(isnan({{ value }}) or abs({{ value }}) = double('infinity')){%- endmacro %}

{#- Tests of a model that keeps history look at what this run built: an hour that failed must not fail the next. -#}
{% macro get_where_subquery(relation) -%}
    {%- set tested = graph.nodes.get(model.attached_node) if execute -%}
    {%- if tested and tested.config.materialized == "incremental" -%}
        {%- set grain = tested.config.meta.get("partition", "utc_hour") -%}
        {{ return("(select * from " ~ relation ~ " where " ~ in_partitions(grain) ~ ") as built") }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}
