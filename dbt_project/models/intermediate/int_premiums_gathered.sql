{#-
    How far each perpetual stood from its venue's index, minute by minute: the newest pair of the minute by its mid, and the
    newest whose book was captured by the average prices of the venue's impact notional. The warehouse keeps them: a funding
    rate averages hours, and a run sees its own window alone.
-#}

{%- set minute = ['venue', 'kind', 'symbol', 'utc_hour', 'minute_ts'] %}

with

pairs as (

    select
        *,
        reference_px * quote_rate as own_index_px,
        {{ minute_start('captured_ts') }} as minute_ts

    from {{ ref('int_references_paired') }}

    where kind = 'perp' and reference_kind = 'index' and derivative_px_source = 'mid' and {{ in_window('utc_hour') }}

),

ranked as (

    select
        {{ minute | join(', ') }},
        derivative_px / own_index_px - 1 as premium_frac,
        row_number() over (
            partition by {{ minute | join(', ') }} order by captured_ts desc, reference_symbol
        ) as recency_index

    from pairs

),

mids as (

    select * from ranked where recency_index = 1

),

books as (

    select * from {{ ref('stg_order_books') }} where kind = 'perp' and is_in_dollars and {{ in_window('utc_hour') }}

),

ranked_books as (

    select
        pairs.venue,
        pairs.kind,
        pairs.symbol,
        pairs.utc_hour,
        pairs.minute_ts,
        pairs.own_index_px,
        coalesce(limits.impact_notional_usd, other_limits.impact_notional_usd) as impact_notional_usd,
        books.bid_px,
        books.bid_usd,
        books.ask_px,
        books.ask_usd,
        row_number() over (
            partition by pairs.venue, pairs.kind, pairs.symbol, pairs.utc_hour, pairs.minute_ts
            order by pairs.captured_ts desc, pairs.reference_symbol
        ) as recency_index

    from pairs

    {{ funding_limits_joins('pairs', 'pairs.captured_ts') }}

    inner join books on {{ matches('pairs', 'books', ['venue', 'kind', 'symbol', 'utc_hour', 'captured_ts']) }}

    where coalesce(limits.impact_notional_usd, other_limits.impact_notional_usd) is not null

),

walked as (

    select
        {{ minute | join(', ') }},
        own_index_px,
        {{ walk('bid_px', 'bid_usd', 'impact_notional_usd') }} as impact_bid_px,
        {{ walk('ask_px', 'ask_usd', 'impact_notional_usd') }} as impact_ask_px

    from ranked_books

    where recency_index = 1

),

final as (

    select
        mids.venue,
        mids.kind,
        mids.symbol,
        mids.utc_hour,
        mids.minute_ts,
        mids.premium_frac,
        {{ impact_premium('walked.impact_bid_px', 'walked.impact_ask_px', 'walked.own_index_px') }} as impact_premium_frac

    from mids

    left join walked on {{ matches('mids', 'walked', minute) }}

)

select * from final
