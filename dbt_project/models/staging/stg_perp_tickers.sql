{#- Perpetuals: quotes, mark, index and the running funding rate per hour. -#}

with

tickers as (

    select * from {{ source('lake', 'perp_tickers') }}

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
        tickers.mark_px,
        tickers.index_px,
        tickers.funding_rate * {{ seconds_per_hour() }} / coalesce(tickers.funding_interval_s, terms.funding_interval_s)
            as funding_rate_per_hour,
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
