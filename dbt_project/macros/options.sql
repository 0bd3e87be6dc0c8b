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
