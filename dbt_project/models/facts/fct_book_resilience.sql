{#-
    How soon a side of the book comes back after much of it was taken at once.
    Formulas and caveats: docs/metrics/books.md#book-resilience
-#}

with

depths as (

    select * from {{ ref('int_book_depths_followed') }}

),

sweeps as (

    select
        *,
        captured_ts as swept_ts,
        earlier_depth_usd - depth_usd as taken_usd,
        {{ epoch_s('captured_ts') }} - {{ epoch_s('earlier_captured_ts') }} as gap_s

    from depths

    where
        depth_usd < earlier_depth_usd
        and earlier_depth_usd - depth_usd >= {{ var('min_sweep_frac') }} * earlier_depth_usd
        and {{ epoch_s('captured_ts') }} - {{ epoch_s('earlier_captured_ts') }} <= {{ var('max_sweep_gap_s') }}

),

returns as (

    select
        sweeps.venue,
        sweeps.kind,
        sweeps.symbol,
        sweeps.book_side,
        sweeps.swept_ts,
        min(depths.captured_ts) as returned_ts

    from sweeps

    inner join depths
        on {{ matches('sweeps', 'depths', ['venue', 'kind', 'symbol', 'book_side', 'utc_hour']) }}
        and sweeps.swept_ts < depths.captured_ts
        and sweeps.depth_usd + sweeps.taken_usd / 2 <= depths.depth_usd

    group by sweeps.venue, sweeps.kind, sweeps.symbol, sweeps.book_side, sweeps.swept_ts

),

final as (

    select
        sweeps.venue,
        sweeps.kind,
        sweeps.symbol,
        sweeps.utc_hour,
        sweeps.underlying,
        sweeps.book_side,
        sweeps.earlier_depth_usd as depth_before_usd,
        sweeps.depth_usd as depth_after_usd,
        sweeps.taken_usd,
        sweeps.taken_usd / sweeps.earlier_depth_usd as taken_frac,
        {{ epoch_s('returns.returned_ts') }} - {{ epoch_s('sweeps.swept_ts') }} as half_recovery_s,
        {{ epoch_s('sweeps.last_captured_ts') }} - {{ epoch_s('sweeps.swept_ts') }} as watched_s,
        sweeps.gap_s,
        returns.returned_ts is not null as is_complete,
        sweeps.swept_ts

    from sweeps

    left join returns on {{ matches('sweeps', 'returns', ['venue', 'kind', 'symbol', 'book_side', 'swept_ts']) }}

)

select * from final
