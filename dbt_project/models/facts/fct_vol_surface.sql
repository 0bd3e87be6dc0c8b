{#-
    The smile of each expiry as an SVI slice, which arbitrage it breaks, and what it says at the money, of skew and of time.
    Formulas, signs and caveats: docs/metrics/implied-volatility.md#volatility-surface
-#}

with

slices as (

    select * from {{ ref('int_vol_slices_judged') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        venue,
        underlying,
        settle_asset,
        expiry_ts,
        utc_hour,
        captured_ts,
        forward_px,
        years_to_expiry,
        strikes_count,
        lowest_log_moneyness,
        highest_log_moneyness,
        fit_reason,
        svi_a,
        svi_b,
        svi_rho,
        svi_m,
        svi_sigma,
        fit_error_ann,
        atm_vol_ann,
        call_25d_vol_ann,
        put_25d_vol_ann,
        call_25d_vol_ann - put_25d_vol_ann as rr_25d_ann,
        (call_25d_vol_ann + put_25d_vol_ann) / 2 - atm_vol_ann as bf_25d_ann,
        case when forward_variance_ann >= 0 then sqrt(forward_variance_ann) end as forward_vol_ann,
        least_density_frac,
        least_density_log_moneyness,
        steepest_wing_frac,
        least_calendar_gap_frac,
        has_butterfly_arbitrage,
        has_calendar_arbitrage,
        is_accepted

    from slices

)

select * from final
