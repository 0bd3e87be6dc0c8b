{#-
    What takers bought and sold in each hour, options apart, and what no price turns into dollars.
    The warehouse keeps it: an hour's volume is measured against the same hour of earlier weeks, and a run sees its own window.
-#}

with

trades as (

    select
        *,
        case when side = 'buy' then {{ millionths('trade_usd') }} else -{{ millionths('trade_usd') }} end
            as signed_millionths

    from {{ ref('stg_trades') }}

    where kind <> 'option' and trade_usd is not null and {{ in_window('utc_hour') }}

),

running as (

    select
        *,
        cast(sum(signed_millionths) over (
            partition by venue, kind, symbol, utc_hour order by {{ trade_order() }}
            rows between unbounded preceding and current row
        ) as bigint) as running_millionths

    from trades

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
        coalesce({{ ordered_sum("case when side = 'sell' then trade_usd end", 'event_ts, trade_id') }}, 0) as sell_usd,
        {{ from_millionths('sum(signed_millionths)') }} as cvd_usd,
        {{ from_millionths('min(running_millionths)') }} as cvd_low_usd,
        {{ from_millionths('max(running_millionths)') }} as cvd_high_usd,
        {{ ordered_sum('trade_px * trade_base', 'event_ts, trade_id') }}
        / nullif({{ ordered_sum('trade_base', 'event_ts, trade_id') }}, 0) as vwap_px

    from running

    group by venue, kind, symbol, utc_hour, underlying

),

final as (

    select
        *,
        buy_usd + sell_usd as volume_usd

    from sums

)

select * from final
