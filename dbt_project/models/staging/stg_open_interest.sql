{#-
    Open interest in the venue's own unit with the terms that turn it into base coin and dollars.
    Dollars of a linear contract need a price, which the models that have one supply.
-#}

with

interest as (

    select * from {{ source('lake', 'open_interest') }}

),

terms as (

    select * from {{ ref('stg_instruments') }}

),

final as (

    select
        interest.venue,
        interest.kind,
        interest.symbol,
        interest.utc_hour,
        terms.underlying,
        terms.option_type,
        terms.strike_px,
        terms.expiry_ts,
        -- Dollars where the venue counts dollars or inverse contracts, else null.
        case
            when terms.amount_unit = 'usd' then interest.open_interest_qty
            when terms.is_inverse and terms.amount_unit = 'contracts' and interest.kind <> 'option'
                then interest.open_interest_qty * terms.contract_size
        end as open_interest_usd,
        -- Base coin where the venue says so or counts it, else null.
        case
            when interest.open_interest_base is not null then interest.open_interest_base
            when terms.amount_unit = 'base' then interest.open_interest_qty
            when terms.amount_unit = 'contracts' and (interest.kind = 'option' or not terms.is_inverse)
                then interest.open_interest_qty * terms.contract_size
        end as open_interest_base,
        interest.event_ts,
        interest.captured_ts

    from interest

    inner join terms
        on interest.venue = terms.venue
        and interest.kind = terms.kind
        and interest.symbol = terms.symbol
        and interest.utc_hour = terms.utc_hour

)

select * from final
