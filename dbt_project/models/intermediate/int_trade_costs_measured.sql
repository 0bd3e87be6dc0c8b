{#-
    What takers paid against the mid that stood when they traded, and against the mid some seconds later, weighed by dollars.
    A mid is the newest captured at or before its instant; none is older than the shorter horizon, so a later mid is never of
    before the trade. What would need a mid of the next hour is not measured.
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}
{%- set horizons_s = [5, 60] %}

with

trades as (

    select
        {{ contract | join(', ') }},
        trade_id,
        event_ts,
        {%- for horizon in horizons_s %}
        event_ts + interval '{{ horizon }} seconds' as later_{{ horizon }}s_ts,
        {%- endfor %}
        trade_px,
        trade_usd,
        case when side = 'buy' then 1 else -1 end as side_sign

    from {{ ref('stg_trades') }}

    where kind <> 'option' and trade_usd is not null and {{ in_window('utc_hour') }}

),

mids as (

    select
        {{ contract | join(', ') }},
        captured_ts as known_ts,
        mid_px as known_px

    from {{ ref('int_mids_observed') }}

    where {{ in_window('utc_hour') }}

),

met_now as (

    select
        trades.*,
        1000.0 * ({{ epoch_s('trades.event_ts') }} - {{ epoch_s('mids.known_ts') }}) as mid_age_ms,
        case
            when {{ epoch_s('trades.event_ts') }} - {{ epoch_s('mids.known_ts') }} <= {{ var("max_mid_age_s") }}
                then mids.known_px
        end as mid_px

    from trades

    {{ last_known_join('trades', 'mids', contract, 'event_ts', 'known_ts') }}

),

-- Trades without a mid of their own are measured against none.
met_0s as (

    select * from met_now where mid_px is not null

),

{% for horizon in horizons_s -%}
{% set before = 'met_' ~ (loop.previtem or 0) ~ 's' -%}
{% set later_ts = before ~ '.later_' ~ horizon ~ 's_ts' -%}
met_{{ horizon }}s as (

    select
        {{ before }}.*,
        case
            when {{ epoch_s(later_ts) }} - {{ epoch_s('mids.known_ts') }} <= {{ var("max_mid_age_s") }}
                and {{ later_ts }} < {{ hour_end(before ~ '.utc_hour') }}
                then mids.known_px
        end as mid_{{ horizon }}s_px

    from {{ before }}

    {{ last_known_join(before, 'mids', contract, 'later_' ~ horizon ~ 's_ts', 'known_ts') }}

),

{% endfor -%}

costs as (

    select
        *,
        {{ bps('2 * side_sign * (trade_px - mid_px)', 'mid_px') }} as effective_bps,
        {%- for horizon in horizons_s %}
        {{ bps('2 * side_sign * (trade_px - mid_' ~ horizon ~ 's_px)', 'mid_px') }} as realized_{{ horizon }}s_bps,
        {{ bps('2 * side_sign * (mid_' ~ horizon ~ 's_px - mid_px)', 'mid_px') }} as impact_{{ horizon }}s_bps,
        case when mid_{{ horizon }}s_px is not null then trade_usd end as usd_{{ horizon }}s{{ "," if not loop.last }}
        {%- endfor %}

    from met_{{ horizons_s | last }}s

),

final as (

    select
        {{ contract | join(', ') }},
        count(*) as marked_trades_count,
        {{ ordered_mean('mid_age_ms', 'event_ts, trade_id') }} as mid_age_ms,
        {{ ordered_sum('effective_bps * trade_usd', 'event_ts, trade_id') }}
        / nullif({{ ordered_sum('trade_usd', 'event_ts, trade_id') }}, 0) as effective_spread_bps,
        {%- for horizon in horizons_s %}
        {{ ordered_sum('realized_' ~ horizon ~ 's_bps * usd_' ~ horizon ~ 's', 'event_ts, trade_id') }}
        / nullif({{ ordered_sum('usd_' ~ horizon ~ 's', 'event_ts, trade_id') }}, 0) as realized_spread_{{ horizon }}s_bps,
        {{ ordered_sum('impact_' ~ horizon ~ 's_bps * usd_' ~ horizon ~ 's', 'event_ts, trade_id') }}
        / nullif({{ ordered_sum('usd_' ~ horizon ~ 's', 'event_ts, trade_id') }}, 0) as price_impact_{{ horizon }}s_bps
        {{- "," if not loop.last }}
        {%- endfor %}

    from costs

    group by {{ contract | join(', ') }}

)

select * from final
