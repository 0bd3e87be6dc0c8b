{#- Basis points of `part` relative to `whole`. -#}
{% macro bps(part, whole) -%}
    10000.0 * ({{ part }}) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- (a − b) / (a + b): an imbalance in [−1, 1]; null where both are zero. -#}
{% macro imbalance(a, b) -%}
    ({{ a }} - {{ b }}) / nullif({{ a }} + {{ b }}, 0)
{%- endmacro %}

{#- The venue's quantity in base coin. `terms` is the alias that carries amount_unit, is_inverse and contract_size. -#}
{% macro base_qty(qty, px, terms) -%}
    case
        when {{ terms }}.amount_unit = 'base' then {{ qty }}
        when {{ terms }}.amount_unit = 'usd' then {{ qty }} / {{ px }}
        when {{ terms }}.is_inverse and {{ terms }}.kind <> 'option' then {{ qty }} * {{ terms }}.contract_size / {{ px }}
        else {{ qty }} * {{ terms }}.contract_size
    end
{%- endmacro %}

{#-
    The venue's quantity in dollars of notional: base x price if linear, contracts x face if inverse.
    Null for an option whose premium is in coin: its price is not in dollars.
-#}
{% macro usd_qty(qty, px, terms) -%}
    case
        when {{ terms }}.kind = 'option' and {{ terms }}.is_inverse then null
        when {{ terms }}.amount_unit = 'base' then {{ qty }} * {{ px }}
        when {{ terms }}.amount_unit = 'usd' then {{ qty }}
        when {{ terms }}.is_inverse then {{ qty }} * {{ terms }}.contract_size
        else {{ qty }} * {{ terms }}.contract_size * {{ px }}
    end
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

{#- What happened over `days`, per year, simply. -#}
{% macro per_year(what, days) -%}
    ({{ what }}) * {{ days_per_year() }} / {{ days }}
{%- endmacro %}

{#- A price moved by basis points: below for a negative number. -#}
{% macro shifted(px, bps) -%}
    {{ px }} * (1 {{ "-" if bps < 0 else "+" }} {{ bps | abs }} / 10000.0)
{%- endmacro %}

{% macro seconds_per_hour() -%}3600{%- endmacro %}
