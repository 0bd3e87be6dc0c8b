{#-
    Trades that happened in the hour, once each, in base coin and dollars.
    Polls overlap, so the gate keeps one row per trade id; a venue that gave single fills is not also counted by aggregates.
-#}

with

-- Apart, because what is at par needs no price of a coin, and looking one up sorts all rows that it is given. Each part
-- reads the source itself: what two parts share would first be written out whole.
final as (

    {% for is_par in [true, false] -%}
    {%- set value_px = '1.0' if is_par else value_usd_px('trades', 'event_ts') -%}
    select
        trades.venue,
        trades.kind,
        trades.symbol,
        trades.utc_hour,
        terms.underlying,
        terms.quote_asset,
        trades.trade_id,
        trades.side,
        trades.px as trade_px,
        {{ base_qty('trades.qty', 'terms', 'trades.px', value_px) }} as trade_base,
        {{ usd_qty('trades.qty', 'terms', 'trades.px', value_px) }} as trade_usd,
        trades.event_ts,
        trades.captured_ts

    from (
        select
            *,
            min(cast(is_aggregate as integer)) over (partition by venue, kind, symbol, utc_hour) as finest

        from {{ source('lake', 'trades') }}

        where {{ hour_start('event_ts') }} = utc_hour
    ) as trades

    {{ terms_join('trades', 'event_ts') }}

    {{ coin_price_join('trades', 'event_ts') if not is_par }}

    where
        cast(trades.is_aggregate as integer) = trades.finest
        and {{ is_at_par(value_asset('terms')) }} is {{ "not " if not is_par }}true

    {{ "union all" if not loop.last }}

    {% endfor %}

)

select * from final
