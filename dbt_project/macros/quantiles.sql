{#- Order statistics, interpolated between neighbours: the same whatever order the rows come in. -#}

{% macro median_of(value) -%}{{ quantile_of(value, 0.5) }}{%- endmacro %}

{#- The quantile at `share`, a number in [0, 1]. -#}
{% macro quantile_of(value, share) -%}
    {{ return(adapter.dispatch("quantile_of", "barograph")(value, share)) }}
{%- endmacro %}
{% macro duckdb__quantile_of(value, share) -%}quantile_cont({{ value }}, {{ share }}){%- endmacro %}
{% macro spark__quantile_of(value, share) -%}percentile({{ value }}, {{ share }}){%- endmacro %}

{#- What makes a median absolute deviation the standard deviation of a normal law. -#}
{% macro sigma_per_mad() -%}1.4826{%- endmacro %}
