{#- Basis points of `part` relative to `whole`. -#}
{% macro bps(part, whole) -%}
    10000.0 * ({{ part }}) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- (a − b) / (a + b): an imbalance in [−1, 1]; null where both are zero. -#}
{% macro imbalance(a, b) -%}
    ({{ a }} - {{ b }}) / nullif({{ a }} + {{ b }}, 0)
{%- endmacro %}

{#-
    The venue's quantity in base coin. `terms` is the alias of the terms in force (macros/terms.sql); `usd_px` is what one
    unit of the asset that a contract is worth in was worth in dollars, and matters for quanto contracts alone.
    Without a price, what needs one is null.
-#}
{% macro base_qty(qty, terms, px='cast(null as double)', usd_px='cast(null as double)') -%}
    case
        when {{ terms }}.amount_unit = 'base' then {{ qty }}
        when {{ terms }}.amount_unit = 'usd' then {{ qty }} / {{ px }}
        when {{ terms }}.is_quanto then {{ qty }} * {{ terms }}.contract_size * {{ usd_px }}
        when {{ terms }}.is_inverse and {{ terms }}.kind <> 'option' then {{ qty }} * {{ terms }}.contract_size / {{ px }}
        else {{ qty }} * {{ terms }}.contract_size
    end
{%- endmacro %}

{#-
    The venue's quantity in dollars of notional: base x price if linear, contracts x face if inverse, contracts x settlement
    coin x price if quanto; each times the dollars of what that is counted in.
    Null for an option whose premium is in coin: its price is not in dollars.
-#}
{% macro usd_qty(qty, terms, px='cast(null as double)', usd_px='cast(null as double)') -%}
    case
        when {{ terms }}.kind = 'option' and {{ terms }}.is_inverse then null
        when {{ terms }}.amount_unit = 'usd' then {{ qty }}
        when {{ terms }}.amount_unit = 'base' then {{ qty }} * {{ px }} * {{ usd_px }}
        when {{ terms }}.is_inverse then {{ qty }} * {{ terms }}.contract_size * {{ usd_px }}
        else {{ qty }} * {{ terms }}.contract_size * {{ px }} * {{ usd_px }}
    end
{%- endmacro %}

{#- Counted as dollars one for one: docs/decisions/0006-depth-is-at-par-prices-are-not.md -#}
{% macro is_at_par(asset) -%}
    {{ asset }} in ('USD', 'USDT', 'USDC')
{%- endmacro %}

{#- What price x size of a contract is counted in: the settlement coin if quanto, else the currency of the price. -#}
{% macro value_asset(terms) -%}
    case when {{ terms }}.is_quanto then {{ terms }}.settle_asset else {{ terms }}.quote_asset end
{%- endmacro %}

{#- A rate per interval as one per hour. -#}
{% macro per_hour(rate, interval_s) -%}
    {{ rate }} * {{ seconds_per_hour() }} / {{ interval_s }}
{%- endmacro %}

{#- A price of gas in billionths of the coin. -#}
{% macro gwei(wei) -%}
    {{ wei }} / 1e9
{%- endmacro %}

{#- Days from one instant to another, to the microsecond. -#}
{% macro days_between(start, end) -%}
    (({{ epoch_s(end) }} - {{ epoch_s(start) }}) / 86400.0)
{%- endmacro %}

{% macro epoch_s(ts) -%}{{ return(adapter.dispatch("epoch_s", "barograph")(ts)) }}{%- endmacro %}
{% macro duckdb__epoch_s(ts) -%}(epoch_us({{ ts }}) / 1e6){%- endmacro %}
{% macro spark__epoch_s(ts) -%}(unix_micros({{ ts }}) / 1e6){%- endmacro %}

{#- The year of this warehouse, in days. -#}
{% macro days_per_year() -%}365.0{%- endmacro %}

{% macro hours_per_year() -%}8760.0{%- endmacro %}

{#- What happened over `days`, per year, simply. -#}
{% macro per_year(what, days) -%}
    ({{ what }}) * {{ days_per_year() }} / {{ days }}
{%- endmacro %}

{#-
    A price moved by basis points: below for a negative number. Multiplied first, because 1 − 10 / 10,000 is no double and
    would put a level that stands on the edge outside.
-#}
{% macro shifted(px, bps) -%}
    {{ px }} * {{ 10000 + bps }} / 10000.0
{%- endmacro %}

{#- The same by a column of basis points. -#}
{% macro shifted_by(px, bps_column) -%}
    {{ px }} * (10000 + {{ bps_column }}) / 10000.0
{%- endmacro %}

{#-
    A price no tick from `px`, on either side of it: the double of a price that was reckoned may miss by its last bits the
    double of the decimal that it stands for, and what stands on an edge is inside.
-#}
{% macro just_below(px) -%}({{ px }}) * (1 - 1e-12){%- endmacro %}
{% macro just_above(px) -%}({{ px }}) * (1 + 1e-12){%- endmacro %}

{% macro seconds_per_hour() -%}3600{%- endmacro %}
