{#-
    Books as the lake stores them: whole numbers at a decimal scale of each row, prices as their distance from the best.
    The layout is ingestion/books_layout.py's; a quotient of two whole numbers is the nearest double of the decimal.
-#}

{#- Ten to a whole power, as a double: exact up to the 22nd. -#}
{% macro ten_to(scale) -%}pow(10.0, {{ scale }}){%- endmacro %}

{#- One column of a side's levels, `px` or `qty`, from the touch outward, beside `px_unit` and `qty_unit`. -#}
{% macro decoded_levels(side, what) -%}
    {%- set sign = "-" if side == "bid" else "+" -%}
    {%- set whole = "(best_" ~ side ~ " " ~ sign ~ " level)" if what == "px" else "level" -%}
    coalesce(
        {{ divided_levels(side ~ ("_offset" if what == "px" else "_size"), whole, what ~ "_unit") }},
        {{ side }}_{{ what }}
    )
{%- endmacro %}

{#- The first of those levels, without decoding the rest; null where the side is empty. -#}
{% macro decoded_touch(side, what) -%}
    {%- set whole = "best_" ~ side if what == "px" else element(side ~ "_size", 1) -%}
    coalesce({{ whole }} / {{ what }}_unit, {{ element(side ~ "_" ~ what, 1) }})
{%- endmacro %}

{#- A list of whole numbers, each divided by `unit`, a double; `whole` says each by its element `level`. -#}
{% macro divided_levels(list, whole, unit) -%}
    {{ return(adapter.dispatch("divided_levels", "barograph")(list, whole, unit)) }}
{%- endmacro %}
{% macro duckdb__divided_levels(list, whole, unit) -%}
    list_transform({{ list }}, lambda level: {{ whole }} / {{ unit }})
{%- endmacro %}
{% macro spark__divided_levels(list, whole, unit) -%}
    transform({{ list }}, level -> {{ whole }} / {{ unit }})
{%- endmacro %}

{#-
    Order flow of one level between a snapshot and the one before it: sizes and prices in columns `bid_N_px`, `bid_N_base`,
    ..., the earlier ones under `earlier_`. No inequality is strict, so an unchanged price gives the change of its size.
    Null where either snapshot lacks the level.
-#}
{% macro order_flow(level, unit) -%}
    {%- set bid, ask = "bid_" ~ level ~ "_", "ask_" ~ level ~ "_" -%}
    case
        when {{ bid }}{{ unit }} + earlier_{{ bid }}{{ unit }} + {{ ask }}{{ unit }} + earlier_{{ ask }}{{ unit }} is not null then
            case when {{ bid }}px >= earlier_{{ bid }}px then {{ bid }}{{ unit }} else 0.0 end
            - case when {{ bid }}px <= earlier_{{ bid }}px then earlier_{{ bid }}{{ unit }} else 0.0 end
            - case when {{ ask }}px <= earlier_{{ ask }}px then {{ ask }}{{ unit }} else 0.0 end
            + case when {{ ask }}px >= earlier_{{ ask }}px then earlier_{{ ask }}{{ unit }} else 0.0 end
    end
{%- endmacro %}

{#- Dollars of the first `n` levels, each weighed by exp(−`per_bps` · its distance from mid in basis points). -#}
{% macro decayed_sum(usd_list, px_list, n, mid_px, per_bps) -%}
    {{ return(adapter.dispatch("decayed_sum", "barograph")(usd_list, px_list, n, mid_px, per_bps)) }}
{%- endmacro %}
{% macro duckdb__decayed_sum(usd_list, px_list, n, mid_px, per_bps) -%}
    coalesce(list_sum(list_transform(
        list_zip({{ usd_list }}, {{ px_list }})[1:{{ n }}],
        lambda level: level[1] * exp(-{{ per_bps }} * abs({{ bps("level[2] - " ~ mid_px, mid_px) }}))
    )), 0.0)
{%- endmacro %}
{% macro spark__decayed_sum(usd_list, px_list, n, mid_px, per_bps) -%}
    aggregate(
        slice(zip_with(
            {{ usd_list }}, {{ px_list }},
            (usd, px) -> usd * exp(-{{ per_bps }} * abs({{ bps("px - " ~ mid_px, mid_px) }}))
        ), 1, {{ n }}),
        double(0), (total, x) -> total + x
    )
{%- endmacro %}

{#- The states of the touch that ingestion/estimators/micro_prices.py tells apart: nine of imbalance, −4 to 4, three of spread. -#}
{% macro imbalance_bucket(imbalance_frac) -%}
    cast(sign({{ imbalance_frac }}) * floor(least(abs({{ imbalance_frac }}) * 9 / 2 + 0.5, 4)) as bigint)
{%- endmacro %}
{% macro spread_ticks(spread_px, tick_size_px) -%}
    cast(least(floor(({{ spread_px }}) / {{ tick_size_px }} + 0.5), 3) as bigint)
{%- endmacro %}
