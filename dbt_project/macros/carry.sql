{#- Carry of dated futures. A carry of an expiry is the total one, ln(F/S), and not a rate. -#}

{#-
    Total carry at `days`, linear in time between two expiries whose columns are `<near>_carry`, `<near>_days` and the far
    one's; null where one is missing.
-#}
{% macro carry_between(near, far, days) -%}
    case
        when {{ near }}_days = {{ far }}_days then {{ near }}_carry
        else
            {{ near }}_carry + ({{ far }}_carry - {{ near }}_carry)
            * ({{ days }} - {{ near }}_days) / ({{ far }}_days - {{ near }}_days)
    end
{%- endmacro %}

{#- Join clause: the row of an effective-dated seed that held at `at`, by the columns of `on`, a condition. -#}
{% macro in_force_join(seed, alias, at, on="true") -%}
    left join {{ ref(seed) }} as {{ alias }}
        on {{ on }}
        and {{ in_force(alias, at) }}
{%- endmacro %}

{#- The notionals at which a carry is measured. -#}
{% macro carry_sizes_usd() -%}{{ return(["1e4", "1e5", "1e6"]) }}{%- endmacro %}
