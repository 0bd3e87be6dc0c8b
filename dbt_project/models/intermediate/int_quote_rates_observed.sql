{#-
    What one unit of `from_asset` is worth in `to_asset`, as observed: stablecoin pairs and stablecoin indices, and their inverses.
    A pair that was not observed has no row, and what needs it is not computed.
-#}

{%- set currencies = "('USD', 'USDT', 'USDC', 'EUR')" %}

with

observed as (

    select
        venue,
        symbol,
        1 as preference,
        utc_hour,
        captured_ts,
        underlying as from_asset,
        quote_asset as to_asset,
        mid_px as rate

    from {{ ref('int_spot_quotes') }}

    where underlying in {{ currencies }} and quote_asset in {{ currencies }} and {{ in_window('utc_hour') }}

    union all

    select
        venue,
        symbol,
        2 as preference,
        utc_hour,
        captured_ts,
        underlying as from_asset,
        quote_asset as to_asset,
        index_px as rate

    from {{ ref('stg_index_prices') }}

    where underlying in {{ currencies }} and quote_asset in {{ currencies }} and {{ in_window('utc_hour') }}

),

both_ways as (

    select * from observed
    union all
    select
        venue,
        symbol,
        preference,
        utc_hour,
        captured_ts,
        to_asset as from_asset,
        from_asset as to_asset,
        1 / rate as rate

    from observed

),

-- Of several at one instant the first venue by name stands, its pairs before its indices, so that re-runs agree.
ranked as (

    select
        *,
        row_number() over (
            partition by utc_hour, captured_ts, from_asset, to_asset order by venue, preference, symbol, rate
        ) as preference_index

    from both_ways

    where from_asset <> to_asset

),

final as (

    select
        utc_hour,
        captured_ts,
        from_asset,
        to_asset,
        rate

    from ranked

    where preference_index = 1

)

select * from final
