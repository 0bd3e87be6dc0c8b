{{ config(materialized="view") }}

{#-
    Books of spot pairs and perpetuals as running sums: coins, and what they cost or bring in the currency of the price.
    A perpetual whose sizes are not in dollars has none: its coins would not be known.
-#}

with

books as (

    select * from {{ ref('stg_order_books') }}

    where
        {{ in_window('utc_hour') }}
        and (kind = 'spot' or (kind = 'perp' and is_in_dollars and {{ is_at_par('quote_asset') }}))

),

sized as (

    select
        *,
        {% for side in ('bid', 'ask') -%}
        case
            when kind = 'spot' then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * px') }}
            else {{ side }}_usd
        end as {{ side }}_quote{{ "," if not loop.last }}
        {% endfor %}

    from books

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        bid_px,
        ask_px,
        {{ element('bid_px', 1) }} as best_bid_px,
        {{ element('ask_px', 1) }} as best_ask_px,
        coalesce({{ element('bid_px', 1) }} < {{ element('ask_px', 1) }}, false) as is_two_sided,
        {% for side in ('bid', 'ask') -%}
        {{ running_sums(side ~ '_base') }} as {{ side }}_base_sums,
        {{ running_sums(side ~ '_quote') }} as {{ side }}_quote_sums,
        {% endfor -%}
        event_ts,
        captured_ts

    from sized

)

select * from final
