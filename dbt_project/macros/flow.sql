{#- Running sums of trades, exact: whole millionths of a dollar add up alike in any grouping, and floats do not. -#}

{% macro millionths(usd) -%}cast(round(({{ usd }}) * 1e6) as bigint){%- endmacro %}

{% macro from_millionths(count) -%}
    ({{ count }}) / 1e6
{%- endmacro %}

{#- The order in which an instrument traded, or its reverse (`desc`): venues number trades, and a shorter number is the smaller. -#}
{% macro trade_order(direction='asc') -%}
    event_ts {{ direction }}, length(trade_id) {{ direction }}, trade_id {{ direction }}
{%- endmacro %}

{#- What happens a dollar, as what happens a million dollars. -#}
{% macro per_million(what) -%}
    ({{ what }}) * 1e6
{%- endmacro %}

{#- The whole part of a quotient of two whole numbers that are not negative: a float's would err at the edges. -#}
{% macro whole_quotient(a, b) -%}{{ return(adapter.dispatch("whole_quotient", "barograph")(a, b)) }}{%- endmacro %}
{% macro duckdb__whole_quotient(a, b) -%}(({{ a }}) // ({{ b }})){%- endmacro %}
{% macro spark__whole_quotient(a, b) -%}(({{ a }}) div ({{ b }})){%- endmacro %}

{#- One row for each whole number from `first` to `last`, both included. -#}
{% macro each_whole(first, last) -%}{{ return(adapter.dispatch("each_whole", "barograph")(first, last)) }}{%- endmacro %}
{% macro duckdb__each_whole(first, last) -%}unnest(generate_series({{ first }}, {{ last }})){%- endmacro %}
{% macro spark__each_whole(first, last) -%}explode(sequence({{ first }}, {{ last }})){%- endmacro %}
