{#- Robust z of each magnitude against its own trailing 30 days: macros/scores.sql. -#}

with

history as (

    {% for component in stress_components() -%}
    select
        underlying,
        utc_hour,
        '{{ component }}' as component,
        {{ component }}_magnitude as measured

    from {{ ref('int_stress_components_gathered') }}

    where {{ component }}_magnitude is not null and {{ in_window_and_days_before('utc_hour', 30) }}

    {{ "union all" if not loop.last }}

    {% endfor %}

),

final as (

    {{ robust_scores('history', ['underlying', 'component']) }}

)

select * from final
