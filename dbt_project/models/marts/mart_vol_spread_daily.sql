{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    What options charged for volatility over a closed UTC day against what the market had done. An open day has no row.
    What it did after the day stands in the hourly mart: it is known only a tenor later.
    Formulas, signs and caveats: docs/metrics/marts.md#volatility-spread
-#}

select
    underlying,
    tenor_days,
    {{ date_of('utc_hour') }} as utc_date,
    {{ ordered_mean('implied_vol_ann', 'utc_hour') }} as implied_vol_ann,
    min(lowest_implied_vol_ann) as lowest_implied_vol_ann,
    max(highest_implied_vol_ann) as highest_implied_vol_ann,
    {{ ordered_mean('realized_vol_trailing_ann', 'utc_hour') }} as realized_vol_trailing_ann,
    {{ ordered_mean('vol_spread_trailing_ann', 'utc_hour') }} as vol_spread_trailing_ann,
    {{ ordered_mean('variance_premium_trailing_ann', 'utc_hour') }} as variance_premium_trailing_ann,
    max(venues_count) as venues_count,
    count(implied_vol_ann) as hours_count

from {{ ref('mart_vol_spread_hourly') }}

where {{ in_closed_days('utc_hour') }}

group by underlying, tenor_days, {{ date_of('utc_hour') }}
