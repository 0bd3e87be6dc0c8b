{#-
    What the longs of one underlying pay on all venues together, each contract weighted by the dollars that pay it.
    Formulas, signs and caveats: docs/metrics/carry.md#funding
-#}

with

-- A rate without an interval, or without a weight, is not one to average.
measured as (

    select * from {{ ref('int_funding_rates_observed') }}

    where {{ in_window('utc_hour') }} and rate_per_hour is not null and open_interest_usd > 0

),

weighted as (

    select
        underlying,
        utc_hour,
        {{ ordered_sum('rate_per_hour * open_interest_usd', 'venue, symbol') }} as paid_usd,
        {{ ordered_sum('open_interest_usd', 'venue, symbol') }} as open_interest_usd,
        min(rate_per_hour) as lowest_rate_per_hour,
        max(rate_per_hour) as highest_rate_per_hour,
        count(*) as perps_count,
        count(distinct venue) as venues_count

    from measured

    group by underlying, utc_hour

),

final as (

    select
        underlying,
        utc_hour,
        paid_usd / open_interest_usd as rate_per_hour,
        paid_usd / open_interest_usd * {{ hours_per_year() }} as apr_ann,
        lowest_rate_per_hour,
        highest_rate_per_hour,
        open_interest_usd,
        perps_count,
        venues_count

    from weighted

)

select * from final
