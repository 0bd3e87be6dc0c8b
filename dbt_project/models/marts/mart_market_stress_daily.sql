{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    How strained each underlying's markets were over a closed UTC day, and its worst hour. An open day has no row.
    Formulas, signs and caveats: docs/metrics/marts.md#market-stress
-#}

with

hours as (

    select
        *,
        {{ date_of('utc_hour') }} as utc_date,
        row_number() over (
            partition by underlying, {{ date_of('utc_hour') }} order by stress_z desc nulls last, utc_hour
        ) as strain_index

    from {{ ref('mart_market_stress_hourly') }}

    where {{ in_closed_days('utc_hour') }}

),

final as (

    select
        underlying,
        utc_date,
        {{ ordered_mean('stress_z', 'utc_hour') }} as stress_z,
        max(stress_z) as highest_stress_z,
        max(case when strain_index = 1 and stress_z is not null then utc_hour end) as most_strained_ts,
        max(abs(pressure_shift_z)) as largest_pressure_shift_z,
        count(case when pressure_regime = 'buying' then 1 end) as buying_hours_count,
        count(case when pressure_regime = 'selling' then 1 end) as selling_hours_count,
        {{ ordered_mean('dispersion_bps', 'utc_hour') }} as dispersion_bps,
        max(largest_gap_bps) as largest_gap_bps,
        cast(sum(price_gaps_count) as bigint) as price_gaps_count,
        {{ ordered_mean('spread_bps', 'utc_hour') }} as spread_bps,
        cast(sum(crossed_books_count) as bigint) as crossed_books_count,
        {{ day_rests_on() }}

    from hours

    group by underlying, utc_date

)

select * from final
