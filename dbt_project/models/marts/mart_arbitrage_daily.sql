{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    For how much of a closed UTC day each arbitrage could have been had, and what it would have brought. An open day has no row.
    Formulas, signs and caveats: docs/metrics/marts.md#arbitrage-over-time
-#}

{%- set sizes = var("trade_sizes_usd") %}
{%- set legs = [
    'underlying', 'arbitrage_kind', 'legs_id', 'utc_date', 'buy_venue', 'buy_kind', 'buy_symbol',
    'sell_venue', 'sell_kind', 'sell_symbol', 'via_symbol', 'is_inventory_needed', 'is_transfer_needed',
] %}

with

hours as (

    select
        *,
        {{ date_of('utc_hour') }} as utc_date,
        row_number() over (
            partition by underlying, arbitrage_kind, legs_id, {{ date_of('utc_hour') }}
            order by highest_net_usd desc nulls last, utc_hour
        ) as net_index

    from {{ ref('mart_arbitrage_hourly') }}

    where {{ in_closed_days('utc_hour') }}

),

final as (

    select
        {{ legs | join(",\n        ") }},
        cast(sum(looks_count) as bigint) as looks_count,
        cast(sum(executable_looks_count) as bigint) as executable_looks_count,
        cast(sum(gaining_looks_count) as bigint) as gaining_looks_count,
        cast(sum(gaining_after_transfer_looks_count) as bigint) as gaining_after_transfer_looks_count,
        count(case when gaining_looks_count > 0 then 1 end) as gaining_hours_count,
        {{ ordered_sum('measured_s', 'utc_hour') }} as measured_s,
        {{ ordered_sum('gaining_s', 'utc_hour') }} as gaining_s,
        {{ ordered_sum('gaining_s', 'utc_hour') }} / nullif({{ ordered_sum('measured_s', 'utc_hour') }}, 0) as gaining_frac,
        {% for name in sizes -%}
        max(highest_net_{{ name }}_usd) as highest_net_{{ name }}_usd,
        {% endfor -%}
        max(highest_net_usd) as highest_net_usd,
        max(case when net_index = 1 then highest_net_size_usd end) as highest_net_size_usd,
        max(case when net_index = 1 then highest_net_ts end) as highest_net_ts,
        max(highest_net_after_transfer_usd) as highest_net_after_transfer_usd,
        {{ ordered_mean('median_gross_top_bps', 'utc_hour') }} as median_gross_top_bps,
        min(lowest_gross_top_bps) as lowest_gross_top_bps,
        max(highest_gross_top_bps) as highest_gross_top_bps,
        {{ ordered_mean('median_skew_ms', 'utc_hour') }} as median_skew_ms,
        max(highest_skew_ms) as highest_skew_ms,
        {{ day_rests_on() }}

    from hours

    group by {{ legs | join(", ") }}

)

select * from final
