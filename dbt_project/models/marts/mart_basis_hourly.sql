{#-
    How far each perpetual and dated future stood from its reference over the hour: the venue's index where one was
    captured, else spot. Formulas, signs and caveats: docs/metrics/marts.md#basis
-#}

with

basis as (

    select * from {{ ref('int_basis_hours_averaged') }} where {{ in_window('utc_hour') }}

),

coverage as (

    select
        venue,
        utc_hour,
        -- A perpetual is told by its book and by its ticker: by either is enough.
        max(case when is_usable then covered_frac end) as covered_frac,
        max(case when is_usable and dataset <> 'future_tickers' then covered_frac end) as perp_covered_frac,
        max(case when is_usable and dataset <> 'perp_tickers' then covered_frac end) as future_covered_frac

    from {{ ref('fct_data_coverage') }}

    where dataset in ('order_books', 'perp_tickers', 'future_tickers') and {{ in_window('utc_hour') }}

    group by venue, utc_hour

),

final as (

    select
        basis.venue,
        basis.kind,
        basis.symbol,
        basis.utc_hour,
        basis.underlying,
        basis.reference_kind,
        basis.basis_bps,
        basis.lowest_basis_bps,
        basis.highest_basis_bps,
        basis.mark_basis_bps,
        basis.basis_simple_ann,
        basis.days_to_expiry,
        basis.funding_rate_per_hour,
        basis.funding_rate_per_hour * 24 * {{ days_per_year() }} as funding_apr_ann,
        basis.open_interest_usd,
        basis.captures_count,
        case when basis.kind = 'perp' then coverage.perp_covered_frac else coverage.future_covered_frac end
            as coverage_frac,
        {{ grade("case when basis.kind = 'perp' then coverage.perp_covered_frac else coverage.future_covered_frac end") }}
            as quality_grade

    from basis

    left join coverage on {{ matches('basis', 'coverage', ['venue', 'utc_hour']) }}

)

select * from final
