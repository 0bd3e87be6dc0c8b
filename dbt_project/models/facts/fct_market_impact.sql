{#-
    What a market order of a stated size pays against mid, walking the captured book and nothing beyond it.
    Formulas, signs and caveats: docs/metrics/books.md#market-impact
-#}

{%- set sizes_usd = var("order_sizes_usd") %}

with

books as (

    select
        *,
        ({{ element('bid_px', 1) }} + {{ element('ask_px', 1) }}) / 2 as mid_px,
        coalesce({{ element('bid_px', 1) }} > {{ element('ask_px', 1) }}, false) as is_crossed,
        is_in_dollars and coalesce({{ element('bid_px', 1) }} < {{ element('ask_px', 1) }}, false) as is_measurable

    from {{ ref('stg_order_books') }}

    where {{ in_window('utc_hour') }}

),

orders as (

    {% for size_usd in sizes_usd -%}
    select
        *,
        cast({{ size_usd }} as double) as order_usd,
        case when is_measurable then {{ walk('ask_px', 'ask_usd', size_usd) }} end as buy_fill_px,
        case when is_measurable then {{ walk('bid_px', 'bid_usd', size_usd) }} end as sell_fill_px

    from books
    {{ "union all" if not loop.last }}
    {% endfor %}

),

fills as (

    select
        *,
        case when is_measurable then buy_fill_px is not null end as is_ask_depth_sufficient,
        case when is_measurable then sell_fill_px is not null end as is_bid_depth_sufficient

    from orders

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        order_usd,
        mid_px,
        buy_fill_px,
        sell_fill_px,
        {{ bps('buy_fill_px - mid_px', 'mid_px') }} as buy_slippage_bps,
        {{ bps('mid_px - sell_fill_px', 'mid_px') }} as sell_slippage_bps,
        is_ask_depth_sufficient,
        is_bid_depth_sufficient,
        is_ask_depth_sufficient and is_bid_depth_sufficient as is_depth_sufficient,
        is_crossed,
        event_ts,
        captured_ts

    from fills

)

select * from final
