{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    The closed UTC day of each underlying, from its 24 hours. An open day has no row.
    Formulas, signs and caveats: docs/metrics.md#pressure
-#}

{%- set means = [
    'pressure_z', 'book_imbalance_10bps_frac', 'spread_bps', 'trade_imbalance_frac', 'perp_basis_bps',
    'future_basis_simple_ann', 'funding_rate_per_hour', 'open_interest_usd', 'implied_vol_30d_ann',
    'realized_vol_trailing_30d_ann', 'vol_spread_trailing_30d_ann', 'put_call_oi_frac', 'oi_imbalance_frac',
] %}

with

hours as (

    select
        *,
        {{ date_of('utc_hour') }} as utc_date

    from {{ ref('mart_pressure_differentials_hourly') }}

),

final as (

    select
        underlying,
        utc_date,
        {% for column in means -%}
        {{ ordered_mean(column, 'utc_hour') }} as {{ column }},
        {% endfor -%}
        min(pressure_z) as lowest_pressure_z,
        max(pressure_z) as highest_pressure_z,
        {{ ordered_sum('volume_usd', 'utc_hour') }} as volume_usd,
        cast(sum(order_books_count) as bigint) as order_books_count,
        cast(sum(crossed_books_count) as bigint) as crossed_books_count,
        max(venues_count) as venues_count,
        {{ day_rests_on() }}

    from hours

    where {{ in_closed_days('utc_hour') }}

    group by underlying, utc_date

)

select * from final
