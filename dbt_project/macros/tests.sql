{#- True for NaN and infinity, which slip past `not_null` and comparisons. -#}
{% macro is_not_finite(value) -%}{{ return(adapter.dispatch("is_not_finite", "barograph")(value)) }}{%- endmacro %}
{% macro duckdb__is_not_finite(value) -%}not isfinite({{ value }}){%- endmacro %}
{% macro spark__is_not_finite(value) -%}(isnan({{ value }}) or abs({{ value }}) = double('infinity')){%- endmacro %}
