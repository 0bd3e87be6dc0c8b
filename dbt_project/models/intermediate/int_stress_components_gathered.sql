{#- How large the hour's measures are, whichever way they point, and what only stress knows: how far venues part, how far prices jump. -#}

with

pressures as (

    select * from {{ ref('int_pressure_components_gathered') }} where {{ in_window('utc_hour') }}

),

dispersions as (

    select
        underlying,
        utc_hour,
        {{ ordered_mean('dispersion_bps', 'kind, minute_ts') }} as dispersion_bps

    from {{ ref('fct_dispersion') }}

    where {{ in_window('utc_hour') }}

    group by underlying, utc_hour

),

gaps as (

    select
        underlying,
        utc_hour,
        max(abs(largest_gap_bps)) as largest_gap_bps,
        cast(sum(price_gaps_count) as bigint) as price_gaps_count

    from {{ ref('fct_price_gaps') }}

    where {{ in_window('utc_hour') }}

    group by underlying, utc_hour

),

-- What is told of a coin may be its quotes or its prices alone, which press no way.
hours as (

    select underlying, utc_hour from pressures
    union
    select underlying, utc_hour from dispersions where dispersion_bps is not null
    union
    select underlying, utc_hour from gaps where largest_gap_bps is not null

),

final as (

    select
        hours.underlying,
        hours.utc_hour,
        abs(pressures.book_imbalance_10bps_frac) as book_magnitude,
        abs(pressures.trade_imbalance_frac) as flow_magnitude,
        abs(pressures.perp_basis_bps) as basis_magnitude,
        abs(pressures.vol_spread_trailing_30d_ann) as vol_magnitude,
        abs(pressures.oi_imbalance_frac) as positioning_magnitude,
        dispersions.dispersion_bps as dispersion_magnitude,
        gaps.largest_gap_bps as gap_magnitude,
        gaps.price_gaps_count

    from hours

    left join pressures on {{ matches('hours', 'pressures', ['underlying', 'utc_hour']) }}

    left join dispersions on {{ matches('hours', 'dispersions', ['underlying', 'utc_hour']) }}

    left join gaps on {{ matches('hours', 'gaps', ['underlying', 'utc_hour']) }}

)

select * from final
