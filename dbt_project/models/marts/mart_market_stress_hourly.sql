{#-
    How strained each underlying's markets were in each hour, with what the score was made of.
    Formulas, signs and caveats: docs/metrics/marts.md#market-stress
-#}

with

components as (

    select * from {{ ref('int_stress_components_gathered') }} where {{ in_window('utc_hour') }}

),

pressures as (

    select * from {{ ref('int_pressure_components_gathered') }} where {{ in_window('utc_hour') }}

),

scores as (

    select * from {{ ref('fct_stress') }} where {{ in_window('utc_hour') }}

),

states as (

    select * from {{ ref('fct_pressure') }} where {{ in_window('utc_hour') }}

),

coverage as (

    select * from {{ ref('int_hours_covered') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        components.underlying,
        components.utc_hour,
        scores.stress_z,
        coalesce(scores.components_count, 0) as components_count,
        scores.dispersion_z,
        scores.gap_z,
        states.pressure_shift_z,
        states.pressure_regime,
        components.dispersion_magnitude as dispersion_bps,
        components.gap_magnitude as largest_gap_bps,
        components.price_gaps_count,
        pressures.spread_bps,
        coalesce(pressures.crossed_books_count, 0) as crossed_books_count,
        scores.definition_version,
        coverage.coverage_frac,
        {{ grade('coverage.coverage_frac') }} as quality_grade

    from components

    left join pressures on {{ matches('components', 'pressures', ['underlying', 'utc_hour']) }}

    left join scores on {{ matches('components', 'scores', ['underlying', 'utc_hour']) }}

    left join states on {{ matches('components', 'states', ['underlying', 'utc_hour']) }}

    left join coverage on components.utc_hour = coverage.utc_hour

)

select * from final
