{#- Running sums of trades, exact: whole millionths of a dollar add up alike in any grouping, and floats do not. -#}

{% macro millionths(usd) -%}cast(round(({{ usd }}) * 1e6) as bigint){%- endmacro %}

{% macro from_millionths(count) -%}
    ({{ count }}) / 1e6
{%- endmacro %}

{#- The order in which an instrument traded: venues number trades, and a shorter number is the smaller one. -#}
{% macro trade_order() -%}event_ts, length(trade_id), trade_id{%- endmacro %}

{#- What happens a dollar, as what happens a million dollars. -#}
{% macro per_million(what) -%}
    ({{ what }}) * 1e6
{%- endmacro %}
