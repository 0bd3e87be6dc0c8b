{#-
    Which way each underlying was pressed in each hour, family by family and in one figure that can be taken apart.
    Formulas, signs and caveats: docs/metrics.md#pressure
-#}

with

components as (

    select * from {{ ref('int_pressure_components_gathered') }} where {{ in_window('utc_hour') }}

),

scores as (

    select * from {{ ref('fct_pressure') }} where {{ in_window('utc_hour') }}

),

coverage as (

    select * from {{ ref('int_hours_covered') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        components.underlying,
        components.utc_hour,
        scores.pressure_z,
        scores.pressure_shift_z,
        scores.pressure_regime,
        scores.first_true_ts,
        scores.book_z,
        scores.flow_z,
        scores.basis_z,
        scores.vol_z,
        scores.positioning_z,
        coalesce(scores.components_count, 0) as components_count,
        scores.definition_version,
        components.book_imbalance_10bps_frac,
        components.spread_bps,
        components.order_books_count,
        components.crossed_books_count,
        components.trade_imbalance_frac,
        components.volume_usd,
        components.perp_basis_bps,
        components.future_basis_simple_ann,
        components.funding_rate_per_hour,
        components.open_interest_usd,
        components.implied_vol_30d_ann,
        components.realized_vol_trailing_30d_ann,
        components.vol_spread_trailing_30d_ann,
        components.put_call_oi_frac,
        components.oi_imbalance_frac,
        components.venues_count,
        coverage.coverage_frac,
        {{ grade('coverage.coverage_frac') }} as quality_grade

    from components

    left join scores on {{ matches('components', 'scores', ['underlying', 'utc_hour']) }}

    left join coverage on components.utc_hour = coverage.utc_hour

)

select * from final
