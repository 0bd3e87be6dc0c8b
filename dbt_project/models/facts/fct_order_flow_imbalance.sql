{#-
    What was added to and taken from each side of the book between snapshots, summed by the minute.
    Formulas, signs and caveats: docs/metrics/books.md#order-flow-imbalance
-#}

{%- set levels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] %}

with

books as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        captured_ts,
        {{ minute_start('captured_ts') }} as bar_start_ts,
        coalesce({{ element('bid_px', 1) }} < {{ element('ask_px', 1) }}, false) as is_measurable,
        coalesce({{ element('bid_px', 1) }} >= {{ element('ask_px', 1) }}, false) as is_crossed,
        {% for side in ('bid', 'ask') -%}
        {% for level in levels -%}
        {{ element(side ~ '_px', level) }} as {{ side }}_{{ level }}_px,
        {{ element(side ~ '_base', level) }} as {{ side }}_{{ level }}_base,
        {% endfor -%}
        case when is_in_dollars then {{ element(side ~ '_usd', 1) }} end as {{ side }}_1_usd{{ "," if not loop.last }}
        {% endfor %}

    from {{ ref('stg_order_books') }}

    where {{ in_window('utc_hour') }}

),

-- Each is compared with the one before it in the hour, over those that are crossed, locked or one-sided.
followed as (

    select
        *,
        {% for side in ('bid', 'ask') -%}
        {% for level in levels -%}
        lag({{ side }}_{{ level }}_px) over successive as earlier_{{ side }}_{{ level }}_px,
        lag({{ side }}_{{ level }}_base) over successive as earlier_{{ side }}_{{ level }}_base,
        {% endfor -%}
        lag({{ side }}_1_usd) over successive as earlier_{{ side }}_1_usd,
        {% endfor -%}
        lag(captured_ts) over successive as earlier_captured_ts

    from books

    window successive as (partition by venue, kind, symbol, utc_hour, is_measurable order by captured_ts)

),

flows as (

    select
        *,
        is_measurable and earlier_captured_ts is not null as is_compared,
        {{ epoch_s('captured_ts') }} - {{ epoch_s('earlier_captured_ts') }} as gap_s,
        {% for level in levels -%}
        {{ order_flow(level, 'base') }} as flow_{{ level }}_base,
        {% endfor -%}
        {{ order_flow(1, 'usd') }} as flow_1_usd,
        (
            {% for level in levels -%}
            {{ "+ " if not loop.first }}bid_{{ level }}_base + ask_{{ level }}_base
            {% endfor -%}
        ) / {{ 2 * levels | length }} as level_depth_base

    from followed

),

bars as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        bar_start_ts,
        count(*) as snapshots_count,
        count(case when is_crossed then 1 end) as crossed_snapshots_count,
        count(case when is_compared then 1 end) as comparisons_count,
        max(case when is_compared then gap_s end) as longest_gap_s,
        {% for level in levels -%}
        case
            when count(case when is_compared then flow_{{ level }}_base end) = count(case when is_compared then 1 end)
                then {{ ordered_sum('case when is_compared then flow_' ~ level ~ '_base end', 'captured_ts') }}
        end as ofi_l{{ level }}_base,
        {% endfor -%}
        case
            when count(case when is_compared then flow_1_usd end) = count(case when is_compared then 1 end)
                then {{ ordered_sum('case when is_compared then flow_1_usd end', 'captured_ts') }}
        end as ofi_l1_usd,
        case
            when count(case when is_compared then level_depth_base end) = count(case when is_compared then 1 end)
                then {{ ordered_mean('case when is_compared then level_depth_base end', 'captured_ts') }}
        end as mean_level_depth_base

    from flows

    group by venue, kind, symbol, utc_hour, underlying, bar_start_ts

),

normalised as (

    select
        *,
        {% for level in levels -%}
        ofi_l{{ level }}_base / nullif(mean_level_depth_base, 0) as ofi_l{{ level }}_frac{{ "," if not loop.last }}
        {% endfor %}

    from bars

),

final as (

    select
        normalised.venue,
        normalised.kind,
        normalised.symbol,
        normalised.utc_hour,
        normalised.underlying,
        {% for level in levels -%}
        normalised.ofi_l{{ level }}_base,
        {% endfor -%}
        normalised.ofi_l1_usd,
        {% for level in levels -%}
        normalised.ofi_l{{ level }}_frac,
        {% endfor -%}
        {% for level in levels -%}
        {{ "+ " if not loop.first }}weights.l{{ level }}_weight * normalised.ofi_l{{ level }}_frac
        {% endfor -%}
        as ofi_integrated_frac,
        weights.explained_frac as ofi_integrated_explained_frac,
        normalised.mean_level_depth_base,
        normalised.longest_gap_s,
        normalised.snapshots_count,
        normalised.crossed_snapshots_count,
        normalised.comparisons_count,
        normalised.bar_start_ts

    from normalised

    left join {{ ref('stg_ofi_weights') }} as weights
        on {{ matches('normalised', 'weights', ['venue', 'kind', 'symbol', 'utc_hour']) }}

)

select * from final
