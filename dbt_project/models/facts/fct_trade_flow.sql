{#-
    Who took, and how much, in each hour, by the aggressor's side; options apart, and what no price turns into dollars.
    Formulas: docs/metrics.md#trade-flow
-#}

with

trades as (

    select * from {{ ref('stg_trades') }}

    where kind <> 'option' and trade_usd is not null and {{ in_window('utc_hour') }}

),

sums as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        count(*) as trades_count,
        coalesce({{ ordered_sum("case when side = 'buy' then trade_usd end", 'event_ts, trade_id') }}, 0) as buy_usd,
        coalesce({{ ordered_sum("case when side = 'sell' then trade_usd end", 'event_ts, trade_id') }}, 0) as sell_usd

    from trades

    group by venue, kind, symbol, utc_hour, underlying

),

final as (

    select
        *,
        buy_usd + sell_usd as volume_usd,
        {{ imbalance('buy_usd', 'sell_usd') }} as trade_imbalance_frac

    from sums

)

select * from final
