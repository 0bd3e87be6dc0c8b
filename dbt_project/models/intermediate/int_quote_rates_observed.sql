{#-
    What one unit of `from_asset` is worth in `to_asset`, as observed: stablecoin pairs and stablecoin indices, and their inverses.
    A pair that was not observed has no row, and what needs it is not computed.
-#}

{%- set currencies = "('USD', 'USDT', 'USDC', 'EUR')" %}

with

observed as (

    select
        venue,
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
        utc_hour,
        captured_ts,
        to_asset as from_asset,
        from_asset as to_asset,
        1 / rate as rate

    from observed

),

-- Two venues at one instant: the first by name, so that re-runs agree.
final as (

    select
        utc_hour,
        captured_ts,
        from_asset,
        to_asset,
        {{ value_at_min('rate', 'venue') }} as rate

    from both_ways

    where from_asset <> to_asset

    group by utc_hour, captured_ts, from_asset, to_asset

)

select * from final
