{#- Robust z of each family's measure against its own trailing 30 days: macros/scores.sql. -#}

{%- set measures = {
    "book": "book_imbalance_10bps_frac",
    "flow": "trade_imbalance_frac",
    "basis": "perp_basis_bps",
    "vol": "vol_spread_trailing_30d_ann",
    "positioning": "oi_imbalance_frac",
} %}

with

history as (

    {% for family, measure in measures.items() -%}
    select
        underlying,
        utc_hour,
        '{{ family }}' as family,
        {{ measure }} as measured

    from {{ ref('int_pressure_components_gathered') }}

    where {{ measure }} is not null and {{ in_window_and_days_before('utc_hour', 30) }}

    {{ "union all" if not loop.last }}

    {% endfor %}

),

scores as (

    {{ robust_scores('history', ['underlying', 'family']) }}

),

final as (

    select
        underlying,
        utc_hour,
        family,
        observations_count,
        measured_z as family_z

    from scores

)

select * from final
