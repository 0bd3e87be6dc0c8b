{#-
    Who leans on the book, at the touch, over the first levels and inside bands around mid.
    Formulas, signs and caveats: docs/metrics.md#order-book
-#}

{%- set depths = [1, 5, 10, 20] %}
{%- set bands_bps = [5, 10, 25, 50, 100] %}

with

books as (

    select
        *,
        {{ element('bid_px', 1) }} as best_bid_px,
        {{ element('ask_px', 1) }} as best_ask_px,
        {{ element('bid_qty', 1) }} as best_bid_qty,
        {{ element('ask_qty', 1) }} as best_ask_qty,
        {{ size_of('bid_px') }} as bid_levels_count,
        {{ size_of('ask_px') }} as ask_levels_count

    from {{ ref('stg_order_books') }}

    where {{ in_window('utc_hour') }}

),

touches as (

    select
        *,
        (best_bid_px + best_ask_px) / 2 as mid_px,
        coalesce(best_bid_px > best_ask_px, false) as is_crossed,
        coalesce(best_bid_px = best_ask_px, false) as is_locked,
        coalesce(best_bid_px < best_ask_px, false) as is_measurable

    from books

),

-- How many levels stand inside each band; null where the book ends before the band does.
reaches as (

    select
        *,
        {% for band in bands_bps -%}
        case
            when is_measurable and {{ element('bid_px', 'bid_levels_count') }} <= {{ shifted('mid_px', -band) }}
                then {{ count_within('bid_px', '>=', shifted('mid_px', -band)) }}
        end as bid_{{ band }}bps_count,
        case
            when is_measurable and {{ element('ask_px', 'ask_levels_count') }} >= {{ shifted('mid_px', band) }}
                then {{ count_within('ask_px', '<=', shifted('mid_px', band)) }}
        end as ask_{{ band }}bps_count{{ "," if not loop.last }}
        {% endfor %}

    from touches

),

sums as (

    select
        *,
        {% for depth in depths -%}
        case when is_measurable and bid_levels_count >= {{ depth }} then {{ sum_first('bid_usd', depth) }} end
            as bid_{{ depth }}_usd,
        case when is_measurable and ask_levels_count >= {{ depth }} then {{ sum_first('ask_usd', depth) }} end
            as ask_{{ depth }}_usd,
        {% endfor -%}
        {% for band in bands_bps -%}
        case when bid_{{ band }}bps_count is not null
            then {{ sum_first('bid_usd', 'bid_' ~ band ~ 'bps_count') }} end as bid_{{ band }}bps_usd,
        case when ask_{{ band }}bps_count is not null
            then {{ sum_first('ask_usd', 'ask_' ~ band ~ 'bps_count') }} end as ask_{{ band }}bps_usd{{ "," if not loop.last }}
        {% endfor %}

    from reaches

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        best_bid_px,
        best_ask_px,
        mid_px,
        {{ bps('best_ask_px - best_bid_px', 'mid_px') }} as spread_bps,
        case when is_measurable then {{ imbalance('best_bid_qty', 'best_ask_qty') }} end as queue_imbalance_frac,
        {% for depth in depths -%}
        {{ imbalance('bid_' ~ depth ~ '_usd', 'ask_' ~ depth ~ '_usd') }} as depth_imbalance_{{ depth }}_frac,
        {% endfor -%}
        {% for band in bands_bps -%}
        {{ imbalance('bid_' ~ band ~ 'bps_usd', 'ask_' ~ band ~ 'bps_usd') }} as depth_imbalance_{{ band }}bps_frac,
        {% endfor -%}
        case when is_in_dollars then bid_10bps_usd end as bid_depth_10bps_usd,
        case when is_in_dollars then ask_10bps_usd end as ask_depth_10bps_usd,
        -- The heavier side pushes the price to the other: a large bid lifts the weighted mid towards the ask.
        case
            when is_measurable
                then (best_bid_px * best_ask_qty + best_ask_px * best_bid_qty) / (best_bid_qty + best_ask_qty)
        end as weighted_mid_px,
        bid_levels_count,
        ask_levels_count,
        is_crossed,
        is_locked,
        event_ts,
        captured_ts

    from sums

)

select * from final
