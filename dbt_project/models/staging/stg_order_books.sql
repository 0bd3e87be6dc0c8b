{#-
    Book snapshots, one row each, levels as lists from the touch outward, sizes in base coin and dollars.
    The lists are this view's secret: models reach them through macros/lists.sql.
-#}

with

books as (

    select * from {{ source('lake', 'order_books') }}

),

terms as (

    select * from {{ ref('stg_instruments') }}

),

-- One number turns a venue's size into base coin or dollars, given the price; see macros/units.sql.
final as (

    select
        books.venue,
        books.kind,
        books.symbol,
        books.utc_hour,
        terms.underlying,
        terms.quote_asset,
        -- The depth of an option quoted in coin compares side with side, but is not in dollars.
        not (terms.kind = 'option' and terms.is_inverse) as is_in_dollars,
        books.bid_px,
        books.bid_qty,
        books.ask_px,
        books.ask_qty,
        case
            when terms.amount_unit = 'usd' then books.bid_qty
            when terms.is_inverse and terms.kind <> 'option' and terms.amount_unit = 'contracts'
                then {{ map_levels('books.bid_qty', 'books.bid_px', 'qty * terms.contract_size') }}
            when terms.amount_unit = 'contracts'
                then {{ map_levels('books.bid_qty', 'books.bid_px', 'qty * terms.contract_size * px') }}
            else {{ map_levels('books.bid_qty', 'books.bid_px', 'qty * px') }}
        end as bid_usd,
        case
            when terms.amount_unit = 'usd' then books.ask_qty
            when terms.is_inverse and terms.kind <> 'option' and terms.amount_unit = 'contracts'
                then {{ map_levels('books.ask_qty', 'books.ask_px', 'qty * terms.contract_size') }}
            when terms.amount_unit = 'contracts'
                then {{ map_levels('books.ask_qty', 'books.ask_px', 'qty * terms.contract_size * px') }}
            else {{ map_levels('books.ask_qty', 'books.ask_px', 'qty * px') }}
        end as ask_usd,
        books.event_ts,
        books.captured_ts

    from books

    inner join terms
        on books.venue = terms.venue
        and books.kind = terms.kind
        and books.symbol = terms.symbol
        and books.utc_hour = terms.utc_hour

)

select * from final
