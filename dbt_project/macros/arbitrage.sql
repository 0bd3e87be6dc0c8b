{#- Steps that several kinds of arbitrage share, each as named queries of a model's `with`. -#}

{#-
    `converted`: the rows of `rows` with `quote_rate`, what a unit of the selling currency was worth in the buying one when
    last seen; null where that is too old.
-#}
{% macro converted_rows(rows) -%}
rate_series as (

    select
        from_asset as sell_quote_asset,
        to_asset as buy_quote_asset,
        utc_hour,
        captured_ts as rate_ts,
        rate

    from {{ ref('int_quote_rates_observed') }}

    where {{ in_window('utc_hour') }}

),

converted as (

    select
        {{ rows }}.*,
        case
            when {{ rows }}.buy_quote_asset = {{ rows }}.sell_quote_asset then 1.0
            when {{ epoch_s(rows ~ '.captured_ts') }} - {{ epoch_s('rate_series.rate_ts') }} <= {{ var("max_leg_skew_s") }}
                then rate_series.rate
        end as quote_rate

    from {{ rows }}

    {{ last_known_join(rows, 'rate_series', ['sell_quote_asset', 'buy_quote_asset', 'utc_hour'], 'captured_ts', 'rate_ts') }}

)
{%- endmacro %}

{#-
    `with_coin` and `with_money`: the rows of `converted` whose currencies meet, with what it costs to move the coins one way
    and the money the other, `coin_gas_usd`, `coin_transfer_usd`, `money_gas_usd` and `money_transfer_usd`.
-#}
{% macro transfer_costs() -%}
{% for name, rows, asset in [("coin", "converted", "underlying"), ("money", "with_coin", "sell_quote_asset")] -%}
{{ name }}_transfers as (

    select
        asset as {{ asset }},
        utc_hour,
        priced_ts as {{ name }}_ts,
        gas_usd,
        transfer_usd

    from {{ ref('int_transfers_priced') }}

    where {{ in_window('utc_hour') }}

),

with_{{ name }} as (

    select
        {{ rows }}.*,
        {% for cost in ("gas_usd", "transfer_usd") -%}
        case when {{ is_recent(rows ~ '.captured_ts', name ~ '_transfers.' ~ name ~ '_ts') }} then {{ name }}_transfers.{{ cost }} end
            as {{ name }}_{{ cost }}{{ "," if not loop.last }}
        {% endfor %}
    from {{ rows }}

    {{ last_known_join(rows, name ~ '_transfers', [asset, 'utc_hour'], 'captured_ts', name ~ '_ts') }}

    {{ "where converted.quote_rate is not null" if name == "coin" }}

){{ "," if not loop.last }}

{% endfor %}
{%- endmacro %}
