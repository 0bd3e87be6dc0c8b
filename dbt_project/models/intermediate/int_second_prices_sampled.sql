{{ config(materialized="table") }}

{#-
    The last trade of each second, at its own instant, of the spot pairs and perpetuals of an underlying that traded most in the
    hour. Lead and lag are sought between these few: pairs grow with the square. A run needs its own window alone.
-#}

{%- set instrument = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

chosen as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        row_number() over (
            partition by underlying, utc_hour order by volume_usd desc, venue, kind, symbol
        ) as volume_rank

    from {{ ref('int_hourly_flows_gathered') }}

    where kind in ('spot', 'perp') and {{ in_window('utc_hour') }}

),

trades as (

    select
        trades.venue,
        trades.kind,
        trades.symbol,
        trades.utc_hour,
        trades.event_ts,
        trades.trade_px,
        chosen.underlying,
        chosen.volume_rank,
        row_number() over (
            partition by
                trades.venue, trades.kind, trades.symbol, trades.utc_hour, {{ second_start('trades.event_ts') }}
            order by {{ trade_order('desc') }}
        ) as from_last

    from {{ ref('stg_trades') }} as trades

    inner join chosen on {{ matches('trades', 'chosen', instrument) }}

    where chosen.volume_rank <= {{ var("lead_lag_series") }} and {{ in_window('trades.utc_hour') }}

),

final as (

    select
        {{ instrument | join(', ') }},
        underlying,
        volume_rank,
        event_ts,
        ln(trade_px) as log_px,
        lag(event_ts) over successive as previous_ts,
        lag(ln(trade_px)) over successive as previous_log_px,
        lead(ln(trade_px)) over successive as next_log_px,
        first_value(ln(trade_px)) over successive as first_log_px

    from trades

    where from_last = 1

    window successive as (partition by venue, kind, symbol, utc_hour order by event_ts)

)

select * from final
