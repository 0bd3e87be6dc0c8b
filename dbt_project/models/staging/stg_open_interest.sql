{#-
    Open interest in base coin where the venue states or counts it, in dollars where it counts dollars or inverse contracts.
    Dollars of a linear contract need a price, which the models that have one supply.
-#}

with

interest as (

    select * from {{ source('lake', 'open_interest') }}

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
        interest.open_interest_qty,
        {{ usd_qty('interest.open_interest_qty', 'terms', usd_px=value_usd_px('interest', 'captured_ts')) }}
            as open_interest_usd,
        coalesce(
            interest.open_interest_base,
            {{ base_qty('interest.open_interest_qty', 'terms', usd_px=value_usd_px('interest', 'captured_ts')) }}
        ) as open_interest_base,
        interest.event_ts,
        interest.captured_ts

    from interest

    {{ terms_join('interest', 'captured_ts') }}

    {{ coin_price_join('interest', 'captured_ts') }}

)

select * from final
