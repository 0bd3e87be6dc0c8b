{{ config(materialized="view") }}

{#-
    Each pool of a chain beside each venue's spot book of its coin: one row whenever either was captured, with the newest of the
    other. `venue` of a pool is its chain.
-#}

with

pools as (

    select * from {{ ref('stg_pool_reserves') }} where {{ in_window('utc_hour') }} and {{ is_at_par('quote_asset') }}

),

books as (

    select * from {{ ref('int_book_ladders') }} where kind = 'spot' and {{ is_at_par('quote_asset') }}

),

pairs as (

    select distinct
        pools.underlying,
        pools.utc_hour,
        pools.venue as pool_venue,
        pools.symbol as pool_symbol,
        pools.quote_asset as pool_quote_asset,
        books.venue as book_venue,
        books.symbol as book_symbol,
        books.quote_asset as book_quote_asset

    from pools

    inner join books on {{ matches('pools', 'books', ['underlying', 'utc_hour']) }}

),

instants as (

    select
        pairs.*,
        pools.captured_ts

    from pairs

    inner join pools
        on pairs.pool_venue = pools.venue
        and pairs.pool_symbol = pools.symbol
        and pairs.utc_hour = pools.utc_hour

    union

    select
        pairs.*,
        books.captured_ts

    from pairs

    inner join books
        on pairs.book_venue = books.venue
        and pairs.book_symbol = books.symbol
        and pairs.utc_hour = books.utc_hour

),

pool_looks as (

    select distinct
        venue as pool_venue,
        symbol as pool_symbol,
        utc_hour,
        captured_ts as pool_ts

    from pools

),

book_looks as (

    select
        venue as book_venue,
        symbol as book_symbol,
        utc_hour,
        captured_ts as book_ts

    from books

),

with_pool as (

    select
        instants.*,
        pool_looks.pool_ts

    from instants

    {{ last_known_join('instants', 'pool_looks', ['pool_venue', 'pool_symbol', 'utc_hour'], 'captured_ts', 'pool_ts') }}

),

matched as (

    select
        with_pool.*,
        book_looks.book_ts,
        abs({{ epoch_s('with_pool.pool_ts') }} - {{ epoch_s('book_looks.book_ts') }}) as skew_s

    from with_pool

    {{ last_known_join('with_pool', 'book_looks', ['book_venue', 'book_symbol', 'utc_hour'], 'captured_ts', 'book_ts') }}

),

final as (

    select * from matched where skew_s <= {{ var("max_arbitrage_skew_s") }}

)

select * from final
