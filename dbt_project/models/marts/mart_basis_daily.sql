{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    How far each perpetual and dated future stood from its reference over a closed UTC day. An open day has no row.
    Formulas, signs and caveats: docs/metrics/marts.md#basis
-#}

select
    venue,
    kind,
    symbol,
    {{ date_of('utc_hour') }} as utc_date,
    underlying,
    reference_kind,
    {{ ordered_mean('basis_bps', 'utc_hour') }} as basis_bps,
    min(lowest_basis_bps) as lowest_basis_bps,
    max(highest_basis_bps) as highest_basis_bps,
    {{ ordered_mean('mark_basis_bps', 'utc_hour') }} as mark_basis_bps,
    {{ ordered_mean('basis_simple_ann', 'utc_hour') }} as basis_simple_ann,
    min(days_to_expiry) as days_to_expiry,
    {{ ordered_mean('funding_rate_per_hour', 'utc_hour') }} as funding_rate_per_hour,
    {{ ordered_mean('funding_apr_ann', 'utc_hour') }} as funding_apr_ann,
    {{ ordered_mean('open_interest_usd', 'utc_hour') }} as open_interest_usd,
    cast(sum(captures_count) as bigint) as captures_count,
    {{ day_rests_on() }}

from {{ ref('mart_basis_hourly') }}

where {{ in_closed_days('utc_hour') }}

group by venue, kind, symbol, {{ date_of('utc_hour') }}, underlying, reference_kind
