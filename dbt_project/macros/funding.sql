{#- How venues make a funding rate of 8 hours from a premium; parameters in the seed `funding_formulas`. -#}

{#- The premium drawn to the interest by at most `clamp`: Binance, Bybit, OKX, Hyperliquid. -#}
{% macro clamped_funding(premium, interest, clamp) -%}
    {{ premium }} + least(greatest({{ interest }} - {{ premium }}, -{{ clamp }}), {{ clamp }})
{%- endmacro %}

{#- What of the premium exceeds the damper: Deribit. -#}
{% macro damped_funding(premium, damper) -%}
    greatest({{ damper }}, {{ premium }}) + least(-{{ damper }}, {{ premium }})
{%- endmacro %}

{#- The part of 8 hours. -#}
{% macro of_eight_hours(interval_s) -%}
    {{ interval_s }} / (8.0 * {{ seconds_per_hour() }})
{%- endmacro %}
