{#- Spot pairs: top of book and day's figures. -#}

with

tickers as (

    select * from {{ source('lake', 'spot_tickers') }}

),

terms as (

    select * from {{ ref('stg_instruments') }}

),

final as (

    select
        tickers.venue,
        tickers.kind,
        tickers.symbol,
        tickers.utc_hour,
        terms.underlying,
        terms.quote_asset,
        tickers.bid_px,
        tickers.ask_px,
        tickers.last_px,
        tickers.event_ts,
        tickers.captured_ts

    from tickers

    inner join terms
        on tickers.venue = terms.venue
        and tickers.kind = terms.kind
        and tickers.symbol = terms.symbol
        and tickers.utc_hour = terms.utc_hour

)

select * from final
