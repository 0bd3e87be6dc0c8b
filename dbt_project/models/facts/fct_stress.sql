{#-
    How strained each underlying's markets were in each hour: one score that can be taken apart.
    Formulas, signs and caveats: docs/metrics/pressure.md#stress
-#}

with

weighed as (

    select
        scores.underlying,
        scores.utc_hour,
        scores.component,
        scores.measured_z,
        weights.weight,
        weights.definition_version

    from {{ ref('int_stress_scores_standardized') }} as scores

    inner join {{ ref('stress_weights') }} as weights
        on scores.component = weights.component and {{ in_force('weights', 'scores.utc_hour') }}

    where {{ in_window('scores.utc_hour') }}

),

sums as (

    select
        underlying,
        utc_hour,
        max(definition_version) as definition_version,
        {% for component in stress_components() -%}
        max(case when component = '{{ component }}' then measured_z end) as {{ component }}_z,
        max(case when component = '{{ component }}' then measured_z * weight end) as {{ component }}_weighted_z,
        {% endfor -%}
        count(measured_z) as components_count,
        {{ ordered_sum('measured_z * weight', 'component') }} as weighted_z,
        {{ ordered_sum('case when measured_z is not null then weight end', 'component') }} as weight

    from weighed

    group by underlying, utc_hour

),

final as (

    select
        underlying,
        utc_hour,
        weighted_z / nullif(weight, 0) as stress_z,
        {% for component in stress_components() -%}
        {{ component }}_z,
        {{ component }}_weighted_z / nullif(weight, 0) as {{ component }}_contribution_z,
        {% endfor -%}
        components_count,
        definition_version

    from sums

)

select * from final
