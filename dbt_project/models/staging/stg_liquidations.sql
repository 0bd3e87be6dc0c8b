{#- Forced orders that happened in the hour, in base coin and dollars at the price that the venue gave. -#}

with

liquidations as (

    select * from {{ source('lake', 'liquidations') }}

    where {{ hour_start('event_ts') }} = utc_hour

),

final as (

    select
        liquidations.venue,
        liquidations.kind,
        liquidations.symbol,
        liquidations.utc_hour,
        terms.underlying,
        terms.quote_asset,
        liquidations.liquidation_id,
        liquidations.side,
        liquidations.px_source,
        liquidations.px as liquidation_px,
        {{ base_qty('liquidations.qty', 'terms', 'liquidations.px', value_usd_px('liquidations', 'event_ts')) }}
            as liquidation_base,
        {{ usd_qty('liquidations.qty', 'terms', 'liquidations.px', value_usd_px('liquidations', 'event_ts')) }}
            as liquidation_usd,
        liquidations.is_sampled,
        liquidations.event_ts,
        liquidations.captured_ts

    from liquidations

    {{ terms_join('liquidations', 'event_ts') }}

    {{ coin_price_join('liquidations', 'event_ts') }}

)

select * from final
