{#- Two-sided spot mids, one an instant and pair: the book where one was captured, else the ticker. -#}

with

books as (

    select
        venue,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        1 as preference,
        best_bid_px as bid_px,
        best_ask_px as ask_px

    from {{ ref('stg_order_books') }}

    where kind = 'spot' and {{ in_window('utc_hour') }}

),

tickers as (

    select
        venue,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        2 as preference,
        bid_px,
        ask_px

    from {{ ref('stg_spot_tickers') }}

    where {{ in_window('utc_hour') }}

),

-- A crossed, locked or one-sided quote is no mid.
ranked as (

    select
        *,
        row_number() over (
            partition by venue, symbol, captured_ts order by preference, bid_px, ask_px
        ) as preference_index

    from (
        select * from books
        union all
        select * from tickers
    ) as quotes

    where bid_px < ask_px

),

final as (

    select
        venue,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        (bid_px + ask_px) / 2 as mid_px

    from ranked

    where preference_index = 1

)

select * from final
