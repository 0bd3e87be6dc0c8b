{#-
    Who leans on the book, at the touch, over the first levels and inside bands around mid.
    Formulas, signs and caveats: docs/metrics.md#order-book
-#}

{%- set depths = [1, 5, 10, 20] %}
{%- set bands_bps = [5, 10, 25, 50, 100] %}
{%- set decay_per_bps = var("book_decay_per_bps") %}

with

books as (

    select
        *,
        {{ element('bid_px', 'nullif(' ~ size_of('bid_px') ~ ', 0)') }} as lowest_bid_px,
        {{ element('ask_px', 'nullif(' ~ size_of('ask_px') ~ ', 0)') }} as highest_ask_px,
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

-- A decayed sum goes side with side only as far as both were captured.
edges as (

    select
        *,
        {% for band in bands_bps -%}
        {{ just_below(shifted('mid_px', -band)) }} as bid_{{ band }}bps_px,
        {{ just_above(shifted('mid_px', band)) }} as ask_{{ band }}bps_px,
        {% endfor -%}
        {{ just_below('greatest(lowest_bid_px, 2 * mid_px - highest_ask_px)') }} as bid_decayed_px,
        {{ just_above('least(highest_ask_px, 2 * mid_px - lowest_bid_px)') }} as ask_decayed_px

    from touches

),

-- How many levels stand inside; null where the book ends before the band does, and before a level counts for 1 / e.
reaches as (

    select
        *,
        {% for band in bands_bps -%}
        case
            when is_measurable and lowest_bid_px <= {{ just_above(shifted('mid_px', -band)) }}
                then {{ count_within('bid_px', '>=', 'bid_' ~ band ~ 'bps_px') }}
        end as bid_{{ band }}bps_count,
        case
            when is_measurable and highest_ask_px >= {{ just_below(shifted('mid_px', band)) }}
                then {{ count_within('ask_px', '<=', 'ask_' ~ band ~ 'bps_px') }}
        end as ask_{{ band }}bps_count,
        {% endfor -%}
        is_measurable
        and bid_decayed_px <= {{ shifted('mid_px', -1 / decay_per_bps) }}
        and ask_decayed_px >= {{ shifted('mid_px', 1 / decay_per_bps) }} as is_decay_measurable,
        {{ count_within('bid_px', '>=', 'bid_decayed_px') }} as bid_decayed_count,
        {{ count_within('ask_px', '<=', 'ask_decayed_px') }} as ask_decayed_count

    from edges

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
            then {{ sum_first('ask_usd', 'ask_' ~ band ~ 'bps_count') }} end as ask_{{ band }}bps_usd,
        {% endfor -%}
        {% for side in ('bid', 'ask') -%}
        case
            when is_decay_measurable
                then {{ decayed_sum(side ~ '_usd', side ~ '_px', side ~ '_decayed_count', 'mid_px', decay_per_bps) }}
        end as {{ side }}_decayed_usd,
        {% endfor -%}
        case when is_measurable then {{ imbalance('best_bid_qty', 'best_ask_qty') }} end as queue_imbalance_frac

    from reaches

),

final as (

    select
        sums.venue,
        sums.kind,
        sums.symbol,
        sums.utc_hour,
        sums.underlying,
        sums.best_bid_px,
        sums.best_ask_px,
        sums.mid_px,
        {{ bps('sums.best_ask_px - sums.best_bid_px', 'sums.mid_px') }} as spread_bps,
        sums.queue_imbalance_frac,
        {% for depth in depths -%}
        {{ imbalance('sums.bid_' ~ depth ~ '_usd', 'sums.ask_' ~ depth ~ '_usd') }} as depth_imbalance_{{ depth }}_frac,
        {% endfor -%}
        {% for band in bands_bps -%}
        {{ imbalance('sums.bid_' ~ band ~ 'bps_usd', 'sums.ask_' ~ band ~ 'bps_usd') }} as depth_imbalance_{{ band }}bps_frac,
        {% endfor -%}
        {{ imbalance('sums.bid_decayed_usd', 'sums.ask_decayed_usd') }} as decayed_imbalance_frac,
        case when sums.is_in_dollars then sums.bid_10bps_usd end as bid_depth_10bps_usd,
        case when sums.is_in_dollars then sums.ask_10bps_usd end as ask_depth_10bps_usd,
        -- The heavier side pushes the price to the other: a large bid lifts the weighted mid towards the ask.
        case
            when sums.is_measurable
                then (sums.best_bid_px * sums.best_ask_qty + sums.best_ask_px * sums.best_bid_qty)
                    / (sums.best_bid_qty + sums.best_ask_qty)
        end as weighted_mid_px,
        sums.mid_px + micro_prices.adjustment_px as micro_price_px,
        {{ bps('micro_prices.adjustment_px', 'sums.mid_px') }} as micro_price_adjustment_bps,
        sums.bid_levels_count,
        sums.ask_levels_count,
        sums.is_crossed,
        sums.is_locked,
        sums.event_ts,
        sums.captured_ts

    from sums

    left join {{ ref('stg_micro_prices') }} as micro_prices
        on {{ matches('sums', 'micro_prices', ['venue', 'kind', 'symbol', 'utc_hour']) }}
        and {{ imbalance_bucket('sums.queue_imbalance_frac') }} = micro_prices.imbalance_bucket
        and {{ spread_ticks('sums.best_ask_px - sums.best_bid_px', 'micro_prices.tick_size_px') }}
        = micro_prices.spread_ticks

)

select * from final
