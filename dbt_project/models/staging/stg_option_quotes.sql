{#- Option quotes: the day's volume in base coin, and the terms of the contract. -#}

with

quotes as (

    select * from {{ source('lake', 'option_quotes') }}

),

terms as (

    select * from {{ ref('stg_instruments') }}

),

final as (

    select
        quotes.venue,
        quotes.kind,
        quotes.symbol,
        quotes.utc_hour,
        terms.underlying,
        terms.option_type,
        terms.strike_px,
        case
            when terms.amount_unit = 'contracts' then quotes.volume_24h_qty * terms.contract_size
            else quotes.volume_24h_qty
        end as volume_24h_base,
        terms.expiry_ts,
        quotes.event_ts,
        quotes.captured_ts

    from quotes

    inner join terms
        on quotes.venue = terms.venue
        and quotes.kind = terms.kind
        and quotes.symbol = terms.symbol
        and quotes.utc_hour = terms.utc_hour

)

select * from final
