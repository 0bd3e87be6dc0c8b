{#- SVI slices with the arbitrage that each breaks: a slice is accepted if it was fitted and breaks none. -#}

{%- set look = "venue, underlying, settle_asset, utc_hour, captured_ts" %}

with

slices as (

    select
        *,
        atm_vol_ann * atm_vol_ann * years_to_expiry as atm_total_variance

    from {{ ref('stg_vol_slices') }}

    where {{ in_window('utc_hour') }}

),

-- Total variance at the money of the expiry before, which was measured there, and the greatest of all before.
measured as (

    select
        venue,
        underlying,
        settle_asset,
        utc_hour,
        captured_ts,
        expiry_ts,
        lag(years_to_expiry) over (partition by {{ look }} order by expiry_ts) as previous_years_to_expiry,
        lag(atm_total_variance) over (partition by {{ look }} order by expiry_ts) as previous_atm_total_variance,
        max(atm_total_variance) over (
            partition by {{ look }} order by expiry_ts rows between unbounded preceding and 1 preceding
        ) as greatest_atm_total_variance

    from slices

    where atm_total_variance is not null

),

followed as (

    select
        slices.*,
        (slices.atm_total_variance - measured.previous_atm_total_variance)
        / nullif(slices.years_to_expiry - measured.previous_years_to_expiry, 0) as forward_variance_ann,
        slices.atm_total_variance < measured.greatest_atm_total_variance as is_below_at_the_money

    from slices

    left join measured
        on {{ matches('slices', 'measured', ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts', 'expiry_ts']) }}

),

judged as (

    select
        *,
        case
            when fit_reason is null
                then least_density_frac < 0 or steepest_wing_frac > {{ var("steepest_wing_frac") }}
        end as has_butterfly_arbitrage,
        case
            when fit_reason is null
                then coalesce(least_calendar_gap_frac < 0, false) or coalesce(is_below_at_the_money, false)
        end as has_calendar_arbitrage

    from followed

),

final as (

    select
        *,
        fit_reason is null and not has_butterfly_arbitrage and not has_calendar_arbitrage as is_accepted

    from judged

)

select * from final
