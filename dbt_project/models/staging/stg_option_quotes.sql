{#- Option quotes: the day's volume in base coin, the venue's own vol, and the terms of the contract. -#}

with

quotes as (

    select * from {{ source('lake', 'option_quotes') }}

),

final as (

    select
        quotes.venue,
        quotes.kind,
        quotes.symbol,
        quotes.utc_hour,
        terms.underlying,
        terms.option_type,
        terms.quote_asset,
        terms.settle_asset,
        terms.strike_px,
        terms.is_inverse,
        quotes.bid_px,
        quotes.ask_px,
        quotes.forward_px,
        {{ base_qty('quotes.bid_qty', 'terms') }} as bid_base,
        {{ base_qty('quotes.ask_qty', 'terms') }} as ask_base,
        {{ base_qty('quotes.volume_24h_qty', 'terms') }} as volume_24h_base,
        quotes.mark_iv_ann,
        terms.expiry_ts,
        quotes.event_ts,
        quotes.captured_ts

    from quotes

    {{ terms_join('quotes', 'captured_ts') }}

)

select * from final
