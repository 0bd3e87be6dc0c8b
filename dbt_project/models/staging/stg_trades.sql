{#-
    Trades that happened in the hour, once each, in base coin and dollars.
    Polls overlap, so the gate keeps one row per trade id; a venue that gave single fills is not also counted by aggregates.
-#}

with

trades as (

    select
        *,
        min(cast(is_aggregate as integer)) over (partition by venue, kind, symbol, utc_hour) as finest

    from {{ source('lake', 'trades') }}

    where {{ hour_start('event_ts') }} = utc_hour

),

final as (

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
        {{ base_qty('trades.qty', 'terms', 'trades.px', value_usd_px('trades', 'event_ts')) }} as trade_base,
        {{ usd_qty('trades.qty', 'terms', 'trades.px', value_usd_px('trades', 'event_ts')) }} as trade_usd,
        trades.event_ts,
        trades.captured_ts

    from trades

    {{ terms_join('trades', 'event_ts') }}

    {{ coin_price_join('trades', 'event_ts') }}

    where cast(trades.is_aggregate as integer) = trades.finest

)

select * from final
