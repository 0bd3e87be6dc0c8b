{#- What venues ask of positions by size, hour by hour. Meanings and caveats: docs/metrics/risk.md#margin-tiers -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    underlying,
    is_inverse,
    size_unit as amount_unit,
    size_floor as size_floor_qty,
    size_cap as size_cap_qty,
    initial_margin_frac,
    maintenance_margin_frac,
    margin_slope_frac_per_base,
    maintenance_deduction as maintenance_deduction_qty,
    evidence,
    definition_version_index,
    captured_ts

from {{ ref('int_margin_tiers_known') }}

where {{ in_window('utc_hour') }}
