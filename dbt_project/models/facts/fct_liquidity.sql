{#-
    What it cost to trade and how far trading moved the price, hour by hour, options apart.
    Formulas, signs and caveats: docs/metrics/flow.md#liquidity
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

bars as (

    select
        *,
        abs(ln(close_px / previous_close_px)) / nullif(volume_usd, 0) as illiquidity

    from {{ ref('int_minute_bars_drawn') }}

    where {{ in_window('utc_hour') }}

),

hours as (

    select
        {{ contract | join(', ') }},
        underlying,
        cast(sum(trades_count) as bigint) as trades_count,
        count(illiquidity) as amihud_minutes_count,
        {{ ordered_mean('illiquidity', 'minute_ts') }} as amihud

    from bars

    group by {{ contract | join(', ') }}, underlying

),

costs as (

    select * from {{ ref('int_trade_costs_measured') }} where {{ in_window('utc_hour') }}

),

impacts as (

    select * from {{ ref('int_price_impacts_fitted') }} where {{ in_window('utc_hour') }}

),

edges as (

    select * from {{ ref('int_edge_spreads_estimated') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        hours.venue,
        hours.kind,
        hours.symbol,
        hours.utc_hour,
        hours.underlying,
        hours.trades_count,
        coalesce(costs.marked_trades_count, 0) as marked_trades_count,
        costs.mid_age_ms,
        costs.effective_spread_bps,
        costs.realized_spread_5s_bps,
        costs.price_impact_5s_bps,
        costs.realized_spread_60s_bps,
        costs.price_impact_60s_bps,
        coalesce(impacts.stretches_count, 0) as kyle_stretches_count,
        impacts.kyle_lambda_px,
        {{ bps(per_million('impacts.kyle_lambda_px'), 'impacts.mean_px * impacts.mean_px') }} as kyle_lambda_1m_usd_bps,
        impacts.kyle_fit_frac,
        hours.amihud_minutes_count,
        case when hours.amihud_minutes_count >= {{ var("amihud_minutes_needed") }} then {{ per_million('hours.amihud') }} end
            as amihud_1m_usd_frac,
        coalesce(edges.minutes_count, 0) as edge_minutes_count,
        edges.edge_spread_bps

    from hours

    left join costs on {{ matches('hours', 'costs', contract) }}

    left join impacts on {{ matches('hours', 'impacts', contract) }}

    left join edges on {{ matches('hours', 'edges', contract) }}

)

select * from final
