{#-
    How option holders were placed at the end of the hour: the last look at each venue.
    Formulas, signs and caveats: docs/metrics/marts.md#options-positioning
-#}

with

ranked as (

    select
        *,
        row_number() over (partition by venue, underlying, expiry_ts, utc_hour order by captured_ts desc)
            as recency_index

    from {{ ref('fct_options_positioning') }}

    where {{ in_window('utc_hour') }}

),

coverage as (

    select
        venue,
        utc_hour,
        covered_frac

    from {{ ref('fct_data_coverage') }}

    where dataset = 'open_interest' and is_usable and {{ in_window('utc_hour') }}

),

final as (

    select
        ranked.venue,
        ranked.underlying,
        ranked.expiry_ts,
        ranked.utc_hour,
        ranked.captured_ts,
        ranked.contracts_count,
        ranked.call_oi_base,
        ranked.put_oi_base,
        ranked.put_call_oi_frac,
        ranked.oi_imbalance_frac,
        ranked.put_call_volume_frac,
        ranked.volume_imbalance_frac,
        ranked.max_pain_px,
        coverage.covered_frac as coverage_frac,
        {{ grade('coverage.covered_frac') }} as quality_grade

    from ranked

    left join coverage on {{ matches('ranked', 'coverage', ['venue', 'utc_hour']) }}

    where ranked.recency_index = 1

)

select * from final
