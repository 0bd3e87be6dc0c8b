{#-
    Robust z of each family's measure against its own trailing 30 days, the hour itself excluded:
    (x - median) / (1.4826 MAD), winsorised at 8; null with under 20 observations or no spread at all.
-#}

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

    where
        {{ measure }} is not null
        and utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", -30) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

    {{ "union all" if not loop.last }}

    {% endfor %}

),

windows as (

    select
        present.underlying,
        present.utc_hour,
        present.family,
        present.measured,
        past.measured as past_measured

    from history as present

    left join history as past
        on present.underlying = past.underlying
        and present.family = past.family
        and past.utc_hour < present.utc_hour
        and past.utc_hour >= {{ plus_days('present.utc_hour', -30) }}

    where {{ in_window('present.utc_hour') }}

),

medians as (

    select
        *,
        median(past_measured) over (partition by underlying, utc_hour, family) as past_median,
        count(past_measured) over (partition by underlying, utc_hour, family) as past_count

    from windows

),

spreads as (

    select
        underlying,
        utc_hour,
        family,
        measured,
        past_median,
        past_count,
        median(abs(past_measured - past_median)) as past_mad

    from medians

    group by underlying, utc_hour, family, measured, past_median, past_count

),

final as (

    select
        underlying,
        utc_hour,
        family,
        past_count as observations_count,
        case
            when past_count >= 20 and past_mad > 0
                then greatest(-8.0, least(8.0, (measured - past_median) / (1.4826 * past_mad)))
        end as family_z

    from spreads

)

select * from final
