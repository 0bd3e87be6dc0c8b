{#-
    Kyle's lambda: how much the mid moves a coin of net buying, by least squares with an intercept.
    One observation is the stretch from the last mid of one minute to the last mid of the next minute that has one, so that venues
    looked at every second and every minute are measured alike. A trade of the very instant of a mid is of the stretch before it.
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}
{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

minute_mids as (

    select
        {{ instrument_hour }},
        max(captured_ts) as at_ts,
        {{ value_at_max('mid_px', 'captured_ts') }} as mid_px

    from {{ ref('int_mids_observed') }}

    where {{ in_window('utc_hour') }}

    group by {{ instrument_hour }}, {{ minute_start('captured_ts') }}

),

told as (

    select
        {{ instrument_hour }},
        event_ts as at_ts,
        0 as mids_count,
        cast(null as double) as mid_px,
        case when side = 'buy' then trade_base else -trade_base end as signed_base,
        trade_id

    from {{ ref('stg_trades') }}

    where kind <> 'option' and trade_base is not null and {{ in_window('utc_hour') }}

    union all

    select
        {{ instrument_hour }},
        at_ts,
        1 as mids_count,
        mid_px,
        cast(null as double) as signed_base,
        cast(null as varchar) as trade_id

    from minute_mids

),

placed as (

    select
        *,
        sum(mids_count) over (
            partition by {{ instrument_hour }} order by at_ts, mids_count rows between unbounded preceding and current row
        ) - mids_count as stretch_index

    from told

),

ended as (

    select
        {{ instrument_hour }},
        stretch_index,
        coalesce({{ ordered_sum('signed_base', 'at_ts, trade_id') }}, 0) as signed_base,
        coalesce({{ ordered_sum('abs(signed_base)', 'at_ts, trade_id') }}, 0) as traded_base,
        max(mid_px) as end_px

    from placed

    group by {{ instrument_hour }}, stretch_index

),

stretches as (

    select
        *,
        end_px - lag(end_px) over (partition by {{ instrument_hour }} order by stretch_index) as move_px

    from ended

),

-- Before the first mid nothing moved from anywhere, and after the last nowhere.
means as (

    select
        {{ instrument_hour }},
        count(*) as stretches_count,
        {{ ordered_mean('end_px', 'stretch_index') }} as mean_px,
        {{ ordered_mean('signed_base', 'stretch_index') }} as mean_base,
        max(traded_base) as most_traded_base,
        {{ ordered_mean('move_px', 'stretch_index') }} as mean_move_px

    from stretches

    where move_px is not null

    group by {{ instrument_hour }}

),

deviations as (

    select
        means.*,
        stretches.stretch_index,
        stretches.signed_base - means.mean_base as off_base,
        stretches.move_px - means.mean_move_px as off_px

    from means

    inner join stretches on {{ matches('means', 'stretches', contract) }}

    where stretches.move_px is not null

),

products as (

    select
        {{ instrument_hour }},
        stretches_count,
        mean_px,
        most_traded_base,
        {{ ordered_sum('off_base * off_px', 'stretch_index') }} as base_px,
        {{ ordered_sum('off_base * off_base', 'stretch_index') }} as base_base,
        {{ ordered_sum('off_px * off_px', 'stretch_index') }} as px_px

    from deviations

    group by {{ instrument_hour }}, stretches_count, mean_px, most_traded_base

),

-- What varies by no more than sums are rounded does not vary, and explains nothing.
final as (

    select
        {{ instrument_hour }},
        stretches_count,
        mean_px,
        case
            when
                stretches_count >= {{ var("stretches_needed") }}
                and base_base > stretches_count * most_traded_base * most_traded_base * 1e-24
                then base_px / base_base
        end as kyle_lambda_px,
        case
            when
                stretches_count >= {{ var("stretches_needed") }}
                and base_base > stretches_count * most_traded_base * most_traded_base * 1e-24
                and px_px > stretches_count * mean_px * mean_px * 1e-24
                then base_px * base_px / (base_base * px_px)
        end as kyle_fit_frac

    from products

)

select * from final
