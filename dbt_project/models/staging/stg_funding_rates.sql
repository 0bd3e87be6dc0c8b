{#- Settled funding: the rate that was paid at `settled_ts`, positive if longs paid. -#}

with

settlements as (

    select * from {{ source('lake', 'funding_rates') }}

),

final as (

    select
        settlements.venue,
        settlements.kind,
        settlements.symbol,
        settlements.utc_hour,
        terms.underlying,
        terms.quote_asset,
        settlements.funding_rate,
        settlements.funding_interval_s,
        settlements.mark_px,
        settlements.event_ts as settled_ts,
        settlements.captured_ts

    from settlements

    {{ terms_join('settlements', 'event_ts') }}

)

select * from final
