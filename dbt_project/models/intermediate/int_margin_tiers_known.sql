{#-
    The margin tiers of each perpetual and dated future by the hour: as the venue told them in the hour's last look,
    else as the seed holds them for the day.
-#}

{%- set instrument_hour = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

contracts as (

    select
        {{ instrument_hour | join(', ') }},
        underlying,
        is_inverse

    from {{ ref('stg_instruments') }}

    where
        kind in ('perp', 'future')
        and not is_quanto
        and valid_to_ts = {{ hour_end('utc_hour') }}
        and {{ in_window('utc_hour') }}

),

looks as (

    select
        *,
        rank() over (partition by {{ instrument_hour | join(', ') }} order by captured_ts desc, event_ts desc) as newest_first

    from {{ ref('stg_margin_tiers') }}

    where {{ in_window('utc_hour') }}

),

told as (

    select
        looks.*,
        contracts.underlying as contract_underlying

    from looks

    inner join contracts on {{ matches('looks', 'contracts', instrument_hour) }}

    where looks.newest_first = 1

),

untold as (

    select contracts.*

    from contracts

    left join (
        select distinct {{ instrument_hour | join(', ') }} from told
    ) as told_hours
        on {{ matches('contracts', 'told_hours', instrument_hour) }}

    where told_hours.venue is null

),

final as (

    select
        {{ instrument_hour | join(', ') }},
        underlying,
        is_inverse,
        size_unit,
        size_floor,
        size_cap,
        initial_margin_frac,
        maintenance_margin_frac,
        0.0 as margin_slope_frac_per_base,
        maintenance_deduction,
        'told' as evidence,
        0 as definition_version_index,
        captured_ts

    from told

    union all

    select
        {% for name in instrument_hour %}untold.{{ name }}, {% endfor %}
        untold.underlying,
        untold.is_inverse,
        seed.size_unit,
        seed.size_floor,
        seed.size_cap,
        seed.initial_margin_frac,
        seed.maintenance_margin_frac,
        seed.margin_slope_frac_per_base,
        seed.maintenance_deduction,
        seed.evidence,
        seed.definition_version as definition_version_index,
        cast(null as timestamptz) as captured_ts

    from untold

    inner join {{ ref('margin_tiers') }} as seed
        on {{ matches('untold', 'seed', ['venue', 'kind', 'underlying', 'is_inverse']) }}
        and {{ in_force('seed', 'untold.utc_hour') }}

)

select * from final
