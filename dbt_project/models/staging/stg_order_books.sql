{#-
    Book snapshots, one row each, levels as lists from the touch outward, sizes in the venue's unit, base coin and dollars.
    The lists are this view's secret: models reach them through macros/lists.sql. Who needs the touch alone takes its columns:
    they decode no list.
-#}

with

-- Dollars of what prices are in: where nobody says, sizes still compare side with side. What is at par is not looked up:
-- that sorts all rows that it is given, levels and all.
valued as (

    {% for is_par in [true, false] -%}
    {%- set value_px = '1.0' if is_par else value_usd_px('books', 'captured_ts') -%}
    select
        books.*,
        {{ ten_to('books.px_scale') }} as px_unit,
        {{ ten_to('books.qty_scale') }} as qty_unit,
        terms.underlying,
        terms.quote_asset,
        terms.amount_unit,
        terms.contract_size,
        terms.is_quanto,
        terms.is_inverse and terms.kind <> 'option' as is_inverse,
        -- The premium of an option quoted in coin is not in dollars.
        {{ value_px }} is not null and not (terms.kind = 'option' and terms.is_inverse) as is_in_dollars,
        coalesce({{ value_px }}, 1.0) as usd_value

    from {{ source('lake', 'order_books') }} as books

    {{ terms_join('books', 'captured_ts') }}

    {{ coin_price_join('books', 'captured_ts') if not is_par }}

    where {{ is_at_par(value_asset('terms')) }} is {{ "not " if not is_par }}true

    {{ "union all" if not loop.last }}

    {% endfor %}

),

books as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        amount_unit,
        contract_size,
        is_quanto,
        is_inverse,
        is_in_dollars,
        usd_value,
        {{ decoded_touch('bid', 'px') }} as best_bid_px,
        {{ decoded_touch('bid', 'qty') }} as best_bid_qty,
        {{ decoded_touch('ask', 'px') }} as best_ask_px,
        {{ decoded_touch('ask', 'qty') }} as best_ask_qty,
        {{ decoded_levels('bid', 'px') }} as bid_px,
        {{ decoded_levels('bid', 'qty') }} as bid_qty,
        {{ decoded_levels('ask', 'px') }} as ask_px,
        {{ decoded_levels('ask', 'qty') }} as ask_qty,
        event_ts,
        captured_ts

    from valued

),

-- One number turns a venue's size into coin or dollars, given the price; see macros/units.sql.
final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        is_in_dollars,
        best_bid_px,
        best_bid_qty,
        best_ask_px,
        best_ask_qty,
        bid_px,
        bid_qty,
        ask_px,
        ask_qty,
        {% for side in ('bid', 'ask') -%}
        case
            when amount_unit = 'base' then {{ side }}_qty
            when amount_unit = 'usd' then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty / px') }}
            when is_quanto and not is_in_dollars then null
            when is_quanto then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * contract_size * usd_value') }}
            when is_inverse then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * contract_size / px') }}
            else {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * contract_size') }}
        end as {{ side }}_base,
        case
            when amount_unit = 'usd' then {{ side }}_qty
            when is_inverse and amount_unit = 'contracts'
                then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * contract_size * usd_value') }}
            when amount_unit = 'contracts'
                then {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * contract_size * px * usd_value') }}
            else {{ map_levels(side ~ '_qty', side ~ '_px', 'qty * px * usd_value') }}
        end as {{ side }}_usd,
        {% endfor -%}
        event_ts,
        captured_ts

    from books

)

select * from final
