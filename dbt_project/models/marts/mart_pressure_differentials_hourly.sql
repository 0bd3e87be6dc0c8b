{#-
    Which way each underlying was pressed in each hour, family by family and in one figure that can be taken apart.
    Formulas, signs and caveats: docs/metrics.md#pressure
-#}

with

components as (

    select * from {{ ref('int_pressure_components_gathered') }} where {{ in_window('utc_hour') }}

),

scores as (

    select * from {{ ref('int_pressure_scores_standardized') }} where {{ in_window('utc_hour') }}

),

weights as (

    select * from {{ ref('pressure_weights') }} where definition_version = 1

),

-- The weights of the families that were measured are scaled to one.
composites as (

    select
        scores.underlying,
        scores.utc_hour,
        {% for family in ['book', 'flow', 'basis', 'vol', 'positioning'] -%}
        max(case when scores.family = '{{ family }}' then scores.family_z end) as {{ family }}_z,
        {% endfor -%}
        count(scores.family_z) as components_count,
        {{ ordered_sum('scores.family_z * weights.weight', 'scores.family') }}
        / nullif({{ ordered_sum('case when scores.family_z is not null then weights.weight end', 'scores.family') }}, 0)
            as pressure_z

    from scores

    inner join weights on scores.family = weights.family

    group by scores.underlying, scores.utc_hour

),

coverage as (

    select * from {{ ref('int_hours_covered') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        components.underlying,
        components.utc_hour,
        composites.pressure_z,
        composites.book_z,
        composites.flow_z,
        composites.basis_z,
        composites.vol_z,
        composites.positioning_z,
        coalesce(composites.components_count, 0) as components_count,
        cast(1 as integer) as definition_version_index,
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

    left join composites on {{ matches('components', 'composites', ['underlying', 'utc_hour']) }}

    left join coverage on components.utc_hour = coverage.utc_hour

)

select * from final
