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

{#-
    How far both impact prices lie beyond the index: nothing while it is between them. Null without both.
    `greatest` would pass a null over.
-#}
{% macro impact_premium(impact_bid, impact_ask, index) -%}
    case
        when {{ impact_bid }} is not null and {{ impact_ask }} is not null
            then (greatest(0, {{ impact_bid }} - {{ index }}) - greatest(0, {{ index }} - {{ impact_ask }})) / {{ index }}
    end
{%- endmacro %}

{#- Left joins `limits` and, where an underlying has no row of its own, `other_limits`. -#}
{% macro funding_limits_joins(left, at) -%}
    {% set contract = left ~ '.venue = {0}.venue and ' ~ left ~ '.quote_asset = {0}.quote_asset' -%}
    {{ in_force_join(
        'funding_limits', 'limits', at, contract.replace('{0}', 'limits') ~ ' and ' ~ left ~ '.underlying = limits.underlying'
    ) }}

    {{ in_force_join(
        'funding_limits', 'other_limits', at,
        contract.replace('{0}', 'other_limits') ~ " and other_limits.underlying = '*' and limits.venue is null"
    ) }}
{%- endmacro %}
