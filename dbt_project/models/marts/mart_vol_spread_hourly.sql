{{ config(meta={"partition": "matured"}) }}

{#-
    What options charged for volatility over the hour against what the market did, at matched tenors, over all venues.
    Formulas, signs and caveats: docs/metrics/marts.md#volatility-spread
-#}

with

venues as (

    select
        underlying,
        tenor_days,
        utc_hour,
        venue,
        {{ ordered_mean('implied_vol_ann', 'captured_ts, settle_asset') }} as implied_vol_ann,
        -- The same at every capture of the hour.
        max(realized_vol_trailing_ann) as realized_vol_trailing_ann,
        max(realized_vol_forward_ann) as realized_vol_forward_ann

    from {{ ref('fct_vol_spread') }}

    where {{ in_matured_window('utc_hour') }}

    group by underlying, tenor_days, utc_hour, venue

),

means as (

    select
        underlying,
        tenor_days,
        utc_hour,
        {{ ordered_mean('implied_vol_ann', 'venue') }} as implied_vol_ann,
        min(implied_vol_ann) as lowest_implied_vol_ann,
        max(implied_vol_ann) as highest_implied_vol_ann,
        max(realized_vol_trailing_ann) as realized_vol_trailing_ann,
        max(realized_vol_forward_ann) as realized_vol_forward_ann,
        count(implied_vol_ann) as venues_count

    from venues

    group by underlying, tenor_days, utc_hour

),

final as (

    select
        *,
        implied_vol_ann - realized_vol_trailing_ann as vol_spread_trailing_ann,
        implied_vol_ann - realized_vol_forward_ann as vol_spread_forward_ann,
        implied_vol_ann * implied_vol_ann - realized_vol_trailing_ann * realized_vol_trailing_ann
            as variance_premium_trailing_ann,
        realized_vol_forward_ann is not null as is_complete

    from means

)

select * from final
