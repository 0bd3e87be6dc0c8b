{#- The composite of each hour and what each family gave to it: the weights of those that were measured, scaled to one. -#}

{%- set families = ['book', 'flow', 'basis', 'vol', 'positioning'] %}

with

weighed as (

    select
        scores.underlying,
        scores.utc_hour,
        scores.family,
        scores.family_z,
        weights.weight,
        weights.definition_version

    from {{ ref('int_pressure_scores_standardized') }} as scores

    inner join {{ ref('pressure_weights') }} as weights
        on scores.family = weights.family and {{ in_force('weights', 'scores.utc_hour') }}

    where {{ in_window('scores.utc_hour') }}

),

sums as (

    select
        underlying,
        utc_hour,
        max(definition_version) as definition_version,
        {% for family in families -%}
        max(case when family = '{{ family }}' then family_z end) as {{ family }}_z,
        max(case when family = '{{ family }}' then family_z * weight end) as {{ family }}_weighted_z,
        {% endfor -%}
        count(family_z) as components_count,
        {{ ordered_sum('family_z * weight', 'family') }} as weighted_z,
        {{ ordered_sum('case when family_z is not null then weight end', 'family') }} as weight

    from weighed

    group by underlying, utc_hour

),

final as (

    select
        underlying,
        utc_hour,
        definition_version,
        components_count,
        {% for family in families -%}
        {{ family }}_z,
        {{ family }}_weighted_z / nullif(weight, 0) as {{ family }}_contribution_z,
        {% endfor -%}
        weighted_z / nullif(weight, 0) as pressure_z

    from sums

)

select * from final
