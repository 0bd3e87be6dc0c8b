{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    How option holders were placed at the close of a UTC day, and how that changed since its first look. An open day has no row.
    Formulas, signs and caveats: docs/metrics/marts.md#options-positioning
-#}

{%- set closing = [
    'contracts_count', 'call_oi_base', 'put_oi_base', 'put_call_oi_frac', 'oi_imbalance_frac', 'put_call_volume_frac',
    'volume_imbalance_frac', 'max_pain_px',
] %}

with

hours as (

    select
        *,
        {{ date_of('utc_hour') }} as utc_date,
        row_number() over (
            partition by venue, underlying, expiry_ts, {{ date_of('utc_hour') }} order by utc_hour desc
        ) as recency_index,
        row_number() over (partition by venue, underlying, expiry_ts, {{ date_of('utc_hour') }} order by utc_hour)
            as age_index

    from {{ ref('mart_options_positioning_hourly') }}

    where {{ in_closed_days('utc_hour') }}

),

final as (

    select
        venue,
        underlying,
        expiry_ts,
        utc_date,
        max(captured_ts) as captured_ts,
        {% for column in closing -%}
        max(case when recency_index = 1 then {{ column }} end) as {{ column }},
        {% endfor -%}
        max(case when recency_index = 1 then call_oi_base end) - max(case when age_index = 1 then call_oi_base end)
            as call_oi_change_base,
        max(case when recency_index = 1 then put_oi_base end) - max(case when age_index = 1 then put_oi_base end)
            as put_oi_change_base,
        {{ day_rests_on() }}

    from hours

    group by venue, underlying, expiry_ts, utc_date

)

select * from final
