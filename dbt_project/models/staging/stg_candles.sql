{#- Bars as the venue drew them, labelled by their start. -#}

with

candles as (

    select * from {{ source('lake', 'candles') }}

),

final as (

    select
        candles.venue,
        candles.kind,
        candles.symbol,
        candles.utc_hour,
        terms.underlying,
        terms.quote_asset,
        candles.interval_s,
        candles.open_px,
        candles.high_px,
        candles.low_px,
        candles.close_px,
        candles.event_ts as bar_ts,
        candles.captured_ts

    from candles

    {{ terms_join('candles', 'event_ts') }}

)

select * from final
