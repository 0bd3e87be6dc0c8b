{#-
    Which way each underlying was pressed in each hour: one score that can be taken apart, how suddenly it changed, and
    whether a regime holds. Formulas, signs and caveats: docs/metrics/pressure.md#pressure
-#}

with

scores as (

    select * from {{ ref('int_pressure_composed') }} where {{ in_window_and_days_before('utc_hour', 31) }}

),

steps as (

    select
        *,
        lag(pressure_z) over (partition by underlying order by utc_hour) as previous_z,
        lag(utc_hour) over (partition by underlying order by utc_hour) as previous_hour,
        -- What moves the state: null where the hour decides nothing.
        case when pressure_z >= 2 and components_count >= 2 then 1 when pressure_z < 1 then 0 end as buying_step,
        case when pressure_z <= -2 and components_count >= 2 then 1 when pressure_z > -1 then 0 end as selling_step

    from scores

),

changes as (

    select
        underlying,
        utc_hour,
        pressure_z - previous_z as measured

    from steps

    where
        previous_hour + interval '1 hour' = utc_hour
        and pressure_z - previous_z is not null
        and {{ in_window_and_days_before('utc_hour', 30) }}

),

shifts as (

    {{ robust_scores('changes', ['underlying']) }}

),

states as (

    select
        *,
        coalesce({{ carried('buying_step', 'underlying', 'utc_hour') }} = 1, false) as is_buying,
        coalesce({{ carried('selling_step', 'underlying', 'utc_hour') }} = 1, false) as is_selling

    from steps

),

turns as (

    select
        *,
        case
            when
                is_buying = lag(is_buying) over (partition by underlying order by utc_hour)
                and is_selling = lag(is_selling) over (partition by underlying order by utc_hour)
                then 0
            else 1
        end as is_turn

    from states

),

spells as (

    select
        *,
        sum(is_turn) over (
            partition by underlying order by utc_hour rows between unbounded preceding and current row
        ) as spell_index

    from turns

),

dated as (

    select
        *,
        min(utc_hour) over (partition by underlying, spell_index) as spell_start

    from spells

),

final as (

    select
        dated.underlying,
        dated.utc_hour,
        dated.pressure_z,
        {% for family in ['book', 'flow', 'basis', 'vol', 'positioning'] -%}
        dated.{{ family }}_z,
        dated.{{ family }}_contribution_z,
        {% endfor -%}
        dated.components_count,
        shifts.measured as pressure_change_z,
        shifts.measured_z as pressure_shift_z,
        case
            when dated.pressure_z is null then null
            when dated.is_buying then 'buying'
            when dated.is_selling then 'selling'
            else 'neutral'
        end as pressure_regime,
        case when dated.pressure_z is not null and (dated.is_buying or dated.is_selling) then dated.spell_start end
            as first_true_ts,
        dated.definition_version

    from dated

    left join shifts on {{ matches('dated', 'shifts', ['underlying', 'utc_hour']) }}

    where {{ in_window('dated.utc_hour') }}

)

select * from final
