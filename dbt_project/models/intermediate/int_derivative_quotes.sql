{#-
    What was known of each perpetual and dated future at each instant of capture: its quote, and the newest mark, index
    and funding rate of the same hour with the instant of each.
-#}

{%- set series = "venue, kind, symbol, utc_hour" %}

with

books as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        1 as preference,
        best_bid_px as bid_px,
        best_ask_px as ask_px,
        cast(null as double) as mark_px,
        cast(null as double) as index_px,
        cast(null as double) as funding_rate

    from {{ ref('stg_order_books') }}

    where kind in ('perp', 'future') and {{ in_window('utc_hour') }}

),

perps as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        2 as preference,
        bid_px,
        ask_px,
        mark_px,
        index_px,
        funding_rate

    from {{ ref('stg_perp_tickers') }}

    where {{ in_window('utc_hour') }}

),

futures as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        captured_ts,
        2 as preference,
        bid_px,
        ask_px,
        mark_px,
        index_px,
        cast(null as double) as funding_rate

    from {{ ref('stg_future_tickers') }}

    where {{ in_window('utc_hour') }}

),

observations as (

    select
        *,
        -- A quote is usable when two-sided and not crossed or locked; the book's own comes before the ticker's.
        case when bid_px < ask_px then (bid_px + ask_px) / 2 end as mid_px

    from (
        select * from books
        union all
        select * from perps
        union all
        select * from futures
    ) as quotes

),

-- Several replies of one instant become one row.
instants as (

    select
        {{ series }},
        underlying,
        quote_asset,
        captured_ts,
        coalesce(min(case when preference = 1 then mid_px end), min(case when preference = 2 then mid_px end)) as mid_px,
        min(mark_px) as mark_px,
        min(index_px) as index_px,
        min(funding_rate) as funding_rate

    from observations

    group by {{ series }}, underlying, quote_asset, captured_ts

),

known as (

    select
        {{ series }},
        underlying,
        quote_asset,
        captured_ts,
        mid_px,
        {{ carried('mark_px', series, 'captured_ts') }} as mark_px,
        {{ carried('case when mark_px is not null then captured_ts end', series, 'captured_ts') }} as mark_captured_ts,
        {{ carried('index_px', series, 'captured_ts') }} as index_px,
        {{ carried('case when index_px is not null then captured_ts end', series, 'captured_ts') }}
            as index_captured_ts,
        {{ carried('funding_rate', series, 'captured_ts') }} as funding_rate,
        {{ carried('case when mid_px is not null then captured_ts end', series, 'captured_ts') }} as earlier_mid_ts,
        min(case when mid_px is not null then captured_ts end) over (
            partition by {{ series }} order by captured_ts rows between current row and unbounded following
        ) as later_mid_ts

    from instants

),

-- The mark stands in for the mid only where no two-sided quote is near; a mark known from long ago stands for nothing.
final as (

    select
        {{ series }},
        underlying,
        quote_asset,
        captured_ts,
        coalesce(mid_px, fresh_mark_px) as derivative_px,
        case when mid_px is not null then 'mid' else 'mark' end as derivative_px_source,
        fresh_mark_px as mark_px,
        index_px,
        index_captured_ts,
        funding_rate

    from (
        select
            *,
            case
                when {{ epoch_s('captured_ts') }} - {{ epoch_s('mark_captured_ts') }} <= {{ var("max_leg_skew_s") }}
                    then mark_px
            end as fresh_mark_px

        from known
    ) as aged

    where
        mid_px is not null
        or (
            fresh_mark_px is not null
            and coalesce(captured_ts - earlier_mid_ts > interval '{{ var("max_leg_skew_s") }} seconds', true)
            and coalesce(later_mid_ts - captured_ts > interval '{{ var("max_leg_skew_s") }} seconds', true)
        )

)

select * from final
