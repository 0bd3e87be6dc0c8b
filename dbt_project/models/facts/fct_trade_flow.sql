{#-
    Who took, and how much, in each hour, by the aggressor's side; options apart, and what no price turns into dollars.
    Formulas: docs/metrics.md#trade-flow
-#}

{%- set instrument = ['venue', 'kind', 'symbol'] %}

with

-- The hours of this run, and the weeks before them that the warehouse holds.
history as (

    select * from {{ ref('int_hourly_flows_gathered') }}

    where
        utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", '-7 * ' ~ var("volume_weeks")) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

flows as (

    select * from history where {{ in_window('utc_hour') }}

),

weeks as (

    {% for week in range(1, var("volume_weeks") + 1) -%}
    select {{ week }} as weeks_ago_count {{ "union all" if not loop.last }}
    {% endfor %}

),

usual as (

    select
        flows.venue,
        flows.kind,
        flows.symbol,
        flows.utc_hour,
        case when count(*) >= {{ var("volume_weeks_needed") }} then {{ median_of('history.volume_usd') }} end
            as usual_volume_usd

    from flows

    cross join weeks

    inner join history
        on {{ matches('flows', 'history', instrument) }}
        and history.utc_hour = {{ plus_days('flows.utc_hour', '-7 * weeks.weeks_ago_count') }}

    group by flows.venue, flows.kind, flows.symbol, flows.utc_hour

),

kinds as (

    select
        underlying,
        utc_hour,
        kind,
        {{ ordered_sum('volume_usd', 'venue, symbol') }} as kind_volume_usd

    from flows

    group by underlying, utc_hour, kind

),

venues as (

    select
        underlying,
        utc_hour,
        kind,
        venue,
        {{ ordered_sum('volume_usd', 'symbol') }} as venue_volume_usd

    from flows

    group by underlying, utc_hour, kind, venue

),

ratios as (

    select
        underlying,
        utc_hour,
        max(case when kind = 'perp' then kind_volume_usd end)
        / nullif(max(case when kind = 'spot' then kind_volume_usd end), 0) as perp_spot_volume_frac

    from kinds

    group by underlying, utc_hour

),

final as (

    select
        flows.venue,
        flows.kind,
        flows.symbol,
        flows.utc_hour,
        flows.underlying,
        flows.trades_count,
        flows.buy_usd,
        flows.sell_usd,
        flows.volume_usd,
        {{ imbalance('flows.buy_usd', 'flows.sell_usd') }} as trade_imbalance_frac,
        flows.cvd_usd,
        flows.cvd_low_usd,
        flows.cvd_high_usd,
        flows.vwap_px,
        flows.volume_usd / nullif(usual.usual_volume_usd, 0) as relative_volume_frac,
        ratios.perp_spot_volume_frac,
        -- Of equal sums the quotient is one; of rounded ones it may stand a bit above.
        least(1.0, venues.venue_volume_usd / nullif(kinds.kind_volume_usd, 0)) as venue_share_frac

    from flows

    left join usual on {{ matches('flows', 'usual', instrument + ['utc_hour']) }}

    inner join ratios on {{ matches('flows', 'ratios', ['underlying', 'utc_hour']) }}

    inner join kinds on {{ matches('flows', 'kinds', ['underlying', 'utc_hour', 'kind']) }}

    inner join venues on {{ matches('flows', 'venues', ['underlying', 'utc_hour', 'kind', 'venue']) }}

)

select * from final
