{#-
    What one coin was worth in dollars, as venues' indices said: for notional that is counted in that coin.
    Dollars are at par, as everywhere in notional.
-#}

with

observed as (

    select venue, symbol, utc_hour, underlying, quote_asset, index_px, captured_ts from {{ ref('stg_index_prices') }}
    union all
    select venue, symbol, utc_hour, underlying, quote_asset, index_px, captured_ts from {{ ref('stg_perp_tickers') }}
    union all
    select venue, symbol, utc_hour, underlying, quote_asset, index_px, captured_ts from {{ ref('stg_future_tickers') }}

),

-- Several of one instant: the first by name, so that re-runs agree.
final as (

    select
        underlying as asset,
        utc_hour,
        {{ value_at_min('index_px', "concat_ws(' ', quote_asset, venue, symbol)") }} as usd_px,
        captured_ts

    from observed

    where index_px is not null and {{ is_at_par('quote_asset') }}

    group by underlying, utc_hour, captured_ts

)

select * from final
