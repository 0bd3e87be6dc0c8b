{#- What option models share. -#}

{#- Tenors of the volatility surface, in days. -#}
{% macro surface_tenors() -%}{{ return([7, 30, 60, 90, 180]) }}{%- endmacro %}

{#- Tenor of volatility indices. -#}
{% macro index_tenor_days() -%}30{%- endmacro %}

{#- Total variance of an SVI slice at a log-moneyness; its parameters are columns that begin with `svi`. -#}
{% macro svi_total_variance(svi, k) -%}
    {{ svi }}_a + {{ svi }}_b * (
        {{ svi }}_rho * ({{ k }} - {{ svi }}_m)
        + sqrt(({{ k }} - {{ svi }}_m) * ({{ k }} - {{ svi }}_m) + {{ svi }}_sigma * {{ svi }}_sigma)
    )
{%- endmacro %}

{#- The median: of the forwards that the rows of one expiry carry, a tick apart, one stands for all. -#}
{% macro middle_of(value) -%}{{ return(adapter.dispatch("middle_of", "barograph")(value)) }}{%- endmacro %}
{% macro duckdb__middle_of(value) -%}median({{ value }}){%- endmacro %}
{% macro spark__middle_of(value) -%}percentile({{ value }}, 0.5){%- endmacro %}
