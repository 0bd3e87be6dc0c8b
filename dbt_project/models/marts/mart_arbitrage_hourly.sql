{#-
    For how much of the hour each arbitrage could have been had, and what it would have brought.
    Formulas, signs and caveats: docs/metrics/marts.md#arbitrage-over-time
-#}

{%- set sizes = var("trade_sizes_usd") %}
{%- set legs = [
    'underlying', 'arbitrage_kind', 'legs_id', 'utc_hour', 'buy_venue', 'buy_kind', 'buy_symbol',
    'sell_venue', 'sell_kind', 'sell_symbol', 'via_symbol', 'is_inventory_needed', 'is_transfer_needed',
] %}

with

looks as (

    select
        *,
        {{ epoch_s('captured_ts') }} as seen_s,
        {{ epoch_s(hour_end('utc_hour')) }} as hour_end_s

    from {{ ref('fct_arbitrage') }}

    where {{ in_window('utc_hour') }}

),

-- A look speaks for the time until the next one, and not for long where that is far off.
lasting as (

    select
        *,
        least(
            coalesce(
                lead(seen_s) over (partition by underlying, arbitrage_kind, legs_id, utc_hour order by captured_ts), hour_end_s
            ) - seen_s,
            {{ var("max_arbitrage_look_s") }}
        ) as lasts_s,
        is_executable and best_net_usd > 0 as is_gaining,
        is_executable and best_net_after_transfer_usd > 0 as is_gaining_after_transfer,
        row_number() over (
            partition by underlying, arbitrage_kind, legs_id, utc_hour
            order by case when is_executable then best_net_usd end desc nulls last, captured_ts
        ) as net_index

    from looks

),

hours as (

    select
        {{ legs | join(",\n        ") }},
        count(*) as looks_count,
        count(case when is_executable then 1 end) as executable_looks_count,
        count(case when is_gaining then 1 end) as gaining_looks_count,
        count(case when is_gaining_after_transfer then 1 end) as gaining_after_transfer_looks_count,
        {{ ordered_sum('case when best_net_usd is not null then lasts_s end', 'captured_ts') }} as measured_s,
        {{ ordered_sum(
            'case when is_gaining then lasts_s when best_net_usd is not null then 0.0 end', 'captured_ts'
        ) }} as gaining_s,
        {% for name in sizes -%}
        max(case when is_executable then net_{{ name }}_usd end) as highest_net_{{ name }}_usd,
        {% endfor -%}
        max(case when is_executable then best_net_usd end) as highest_net_usd,
        max(case when net_index = 1 and is_gaining then best_size_usd end) as highest_net_size_usd,
        max(case when net_index = 1 and is_gaining then captured_ts end) as highest_net_ts,
        max(case when is_executable then best_net_after_transfer_usd end) as highest_net_after_transfer_usd,
        {{ median_of('gross_top_bps') }} as median_gross_top_bps,
        min(gross_top_bps) as lowest_gross_top_bps,
        max(gross_top_bps) as highest_gross_top_bps,
        {{ median_of('skew_ms') }} as median_skew_ms,
        max(skew_ms) as highest_skew_ms,
        max(definition_version) as definition_version

    from lasting

    group by {{ legs | join(", ") }}

),

-- An option is told by its quotes, a pool by its reserves, everything else by its book.
coverage as (

    select
        venue,
        utc_hour,
        max(case when dataset = 'option_quotes' then covered_frac end) as quotes_covered_frac,
        max(case when dataset <> 'option_quotes' then covered_frac end) as books_covered_frac

    from {{ ref('fct_data_coverage') }}

    where dataset in ('order_books', 'option_quotes', 'pool_reserves') and is_usable and {{ in_window('utc_hour') }}

    group by venue, utc_hour

),

covered as (

    select
        hours.*,
        case when hours.buy_kind = 'option' then bought.quotes_covered_frac else bought.books_covered_frac end
            as buy_covered_frac,
        case when hours.sell_kind = 'option' then sold.quotes_covered_frac else sold.books_covered_frac end
            as sell_covered_frac

    from hours

    left join coverage as bought on hours.buy_venue = bought.venue and hours.utc_hour = bought.utc_hour

    left join coverage as sold on hours.sell_venue = sold.venue and hours.utc_hour = sold.utc_hour

),

rested as (

    select
        *,
        case
            when buy_covered_frac is not null and sell_covered_frac is not null
                then least(buy_covered_frac, sell_covered_frac)
        end as coverage_frac

    from covered

),

final as (

    select
        {{ legs | join(",\n        ") }},
        looks_count,
        executable_looks_count,
        gaining_looks_count,
        gaining_after_transfer_looks_count,
        measured_s,
        gaining_s,
        gaining_s / nullif(measured_s, 0) as gaining_frac,
        {% for name in sizes -%}
        highest_net_{{ name }}_usd,
        {% endfor -%}
        highest_net_usd,
        highest_net_size_usd,
        highest_net_ts,
        highest_net_after_transfer_usd,
        median_gross_top_bps,
        lowest_gross_top_bps,
        highest_gross_top_bps,
        median_skew_ms,
        highest_skew_ms,
        definition_version,
        coverage_frac,
        {{ grade('coverage_frac') }} as quality_grade

    from rested

)

select * from final
