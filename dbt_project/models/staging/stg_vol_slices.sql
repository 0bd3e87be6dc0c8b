{#- SVI slice of each expiry and look, fitted by `ingestion/estimators/vol_slices.py`. -#}

select
    venue,
    underlying,
    settle_asset,
    utc_hour,
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
    least_density_frac,
    least_density_log_moneyness,
    steepest_wing_frac,
    least_calendar_gap_frac,
    expiry_ts,
    captured_ts

from {{ source('lake', 'vol_slices') }}
