{{ config(materialized="view") }}

{#-
    Three spot books of one venue that go around, as BTC-USDT, ETH-USDT and ETH-BTC: the middle, the direct and the cross pair.
    One row whenever one of them was captured, beside the newest of the others.
-#}

with

ladders as (

    select * from {{ ref('int_book_ladders') }} where kind = 'spot'

),

instruments as (

    select distinct
        venue,
        symbol,
        utc_hour,
        underlying,
        quote_asset

    from ladders

),

triangles as (

    select
        crosses.venue,
        crosses.utc_hour,
        crosses.underlying,
        crosses.symbol as cross_symbol,
        direct.symbol as direct_symbol,
        middle.symbol as middle_symbol

    from instruments as crosses

    inner join instruments as direct
        on {{ matches('crosses', 'direct', ['venue', 'utc_hour', 'underlying']) }}
        and {{ is_at_par('direct.quote_asset') }}

    inner join instruments as middle
        on {{ matches('crosses', 'middle', ['venue', 'utc_hour']) }}
        and crosses.quote_asset = middle.underlying
        and direct.quote_asset = middle.quote_asset

),

instants as (

    select distinct
        triangles.*,
        ladders.captured_ts

    from triangles

    inner join ladders
        on {{ matches('triangles', 'ladders', ['venue', 'utc_hour']) }}
        and ladders.symbol in (triangles.cross_symbol, triangles.direct_symbol, triangles.middle_symbol)

),

crosses as (

    select
        venue,
        symbol as cross_symbol,
        utc_hour,
        captured_ts as cross_ts

    from ladders

),

directs as (

    select
        venue,
        symbol as direct_symbol,
        utc_hour,
        captured_ts as direct_ts

    from ladders

),

middles as (

    select
        venue,
        symbol as middle_symbol,
        utc_hour,
        captured_ts as middle_ts

    from ladders

),

with_cross as (

    select
        instants.*,
        crosses.cross_ts

    from instants

    {{ last_known_join('instants', 'crosses', ['venue', 'cross_symbol', 'utc_hour'], 'captured_ts', 'cross_ts') }}

),

with_direct as (

    select
        with_cross.*,
        directs.direct_ts

    from with_cross

    {{ last_known_join('with_cross', 'directs', ['venue', 'direct_symbol', 'utc_hour'], 'captured_ts', 'direct_ts') }}

),

matched as (

    select
        with_direct.*,
        middles.middle_ts,
        {{ epoch_s('with_direct.captured_ts') }} - least(
            {{ epoch_s('with_direct.cross_ts') }}, {{ epoch_s('with_direct.direct_ts') }}, {{ epoch_s('middles.middle_ts') }}
        ) as skew_s

    from with_direct

    {{ last_known_join('with_direct', 'middles', ['venue', 'middle_symbol', 'utc_hour'], 'captured_ts', 'middle_ts') }}

    where with_direct.cross_ts is not null and with_direct.direct_ts is not null and middles.middle_ts is not null

),

final as (

    select * from matched where skew_s <= {{ var("max_arbitrage_skew_s") }}

)

select * from final
