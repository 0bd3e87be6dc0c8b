{#- Parameters of an effective-dated seed: those in force at an instant, from the start of their first day (UTC) on. -#}
{% macro in_force(seed, ts) -%}
    cast({{ seed }}.valid_from as timestamptz) <= {{ ts }}
    and ({{ seed }}.valid_to is null or cast({{ seed }}.valid_to as timestamptz) > {{ ts }})
{%- endmacro %}
