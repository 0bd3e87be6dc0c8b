{#- Where the venue takes an isolated position over: equity has fallen to the maintenance margin. -#}

{#-
    `gap` is initial less maintenance margin as a share of the position's value at entry.
    Linear: margin is dollars, entry -/+ (IM - MM) / size. Inverse: margin is coin, contracts / (PV +/- (IM - MM)).
-#}
{% macro liquidation_px(side, entry, gap, is_inverse) -%}
    {%- set toward, away = ("-", "+") if side == "long" else ("+", "-") -%}
    case
        when {{ is_inverse }} then {{ entry }} / nullif(1 {{ away }} {{ gap }}, 0)
        else {{ entry }} * (1 {{ toward }} {{ gap }})
    end
{%- endmacro %}
