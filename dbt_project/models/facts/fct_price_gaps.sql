{#-
    Where the price jumped, where a venue's mark left its index, and how long nothing traded, hour by hour, options apart.
    Formulas, signs and caveats: docs/metrics/flow.md#price-gaps
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

bars as (

    select
        *,
        ln(close_px / previous_close_px) as return_log,
        ln(open_px / previous_close_px) as gap_log

    from {{ ref('int_minute_bars_drawn') }}

    where previous_close_px is not null and {{ in_window('utc_hour') }}

),

-- What each minute can know of the hour's earlier ones.
pasts as (

    select
        bars.venue,
        bars.kind,
        bars.symbol,
        bars.utc_hour,
        bars.minute_ts,
        earlier.return_log as past_log

    from bars

    inner join bars as earlier
        on {{ matches('bars', 'earlier', contract) }}
        and earlier.minute_ts < bars.minute_ts

),

medians as (

    select
        {{ contract | join(', ') }},
        minute_ts,
        {{ median_of('past_log') }} as median_log

    from pasts

    group by {{ contract | join(', ') }}, minute_ts

    having count(*) >= {{ var("minutes_needed") }}

),

sigmas as (

    select
        pasts.venue,
        pasts.kind,
        pasts.symbol,
        pasts.utc_hour,
        pasts.minute_ts,
        {{ sigma_per_mad() }} * {{ median_of('abs(pasts.past_log - medians.median_log)') }} as sigma_log

    from pasts

    inner join medians on {{ matches('pasts', 'medians', contract + ['minute_ts']) }}

    group by pasts.venue, pasts.kind, pasts.symbol, pasts.utc_hour, pasts.minute_ts

),

scored as (

    select
        bars.*,
        bars.gap_log / nullif(sigmas.sigma_log, 0) as sigmas_z,
        row_number() over (
            partition by bars.venue, bars.kind, bars.symbol, bars.utc_hour
            order by abs(exp(bars.gap_log) - 1) desc, bars.minute_ts
        ) as gap_rank,
        row_number() over (
            partition by bars.venue, bars.kind, bars.symbol, bars.utc_hour
            order by coalesce(abs(bars.gap_log) / nullif(sigmas.sigma_log, 0), -1) desc, bars.minute_ts
        ) as sigmas_rank

    from bars

    left join sigmas on {{ matches('bars', 'sigmas', contract + ['minute_ts']) }}

),

gaps as (

    select
        {{ contract | join(', ') }},
        count(sigmas_z) as scored_minutes_count,
        count(case when abs(sigmas_z) > {{ var("price_gap_sigmas") }} then 1 end) as price_gaps_count,
        max(case when gap_rank = 1 then {{ bps('exp(gap_log) - 1', 1) }} end) as largest_gap_bps,
        max(case when sigmas_rank = 1 and sigmas_z is not null then greatest(-8.0, least(8.0, sigmas_z)) end) as largest_gap_z

    from scored

    group by {{ contract | join(', ') }}

),

trades as (

    select
        {{ contract | join(', ') }},
        underlying,
        {{ epoch_s('event_ts') }} - {{ epoch_s(
            'lag(event_ts) over (partition by venue, kind, symbol, utc_hour order by event_ts)'
        ) }} as wait_s

    from {{ ref('stg_trades') }}

    where kind <> 'option' and {{ in_window('utc_hour') }}

),

waits as (

    select
        {{ contract | join(', ') }},
        underlying,
        count(*) as trades_count,
        max(wait_s) as trade_wait_max_s,
        case when count(wait_s) >= {{ var("waits_needed") }} then {{ quantile_of('wait_s', 0.99) }} end as trade_wait_p99_s

    from trades

    group by {{ contract | join(', ') }}, underlying

),

tickers as (

    select
        {{ contract | join(', ') }},
        underlying,
        captured_ts,
        {{ bps('mark_px - index_px', 'index_px') }} as mark_bps

    from {{ ref('stg_perp_tickers') }}

    where mark_px is not null and index_px is not null and {{ in_window('utc_hour') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by venue, kind, symbol, utc_hour order by abs(mark_bps) desc, captured_ts, mark_bps
        ) as mark_rank

    from tickers

),

marks as (

    select
        {{ contract | join(', ') }},
        underlying,
        count(*) as marks_count,
        max(case when mark_rank = 1 then mark_bps end) as mark_index_gap_bps,
        {{ median_of('mark_bps') }} as mark_index_gap_median_bps

    from ranked

    group by {{ contract | join(', ') }}, underlying

),

hours as (

    select {{ contract | join(', ') }}, underlying from waits
    union
    select {{ contract | join(', ') }}, underlying from marks

),

final as (

    select
        hours.venue,
        hours.kind,
        hours.symbol,
        hours.utc_hour,
        hours.underlying,
        coalesce(gaps.scored_minutes_count, 0) as scored_minutes_count,
        case when gaps.scored_minutes_count > 0 then gaps.price_gaps_count end as price_gaps_count,
        gaps.largest_gap_bps,
        gaps.largest_gap_z,
        coalesce(waits.trades_count, 0) as trades_count,
        waits.trade_wait_max_s,
        waits.trade_wait_p99_s,
        coalesce(marks.marks_count, 0) as marks_count,
        marks.mark_index_gap_bps,
        marks.mark_index_gap_median_bps,
        case when gaps.scored_minutes_count > 0 then gaps.price_gaps_count > 0 end as has_price_gap,
        abs(marks.mark_index_gap_bps) > {{ var("mark_index_gap_bps") }} as has_mark_index_gap,
        waits.trade_wait_max_s > {{ var("silence_s") }} as has_silence

    from hours

    left join gaps on {{ matches('hours', 'gaps', contract) }}

    left join waits on {{ matches('hours', 'waits', contract) }}

    left join marks on {{ matches('hours', 'marks', contract) }}

)

select * from final
