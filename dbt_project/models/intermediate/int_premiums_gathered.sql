{#-
    How far each perpetual stood from its venue's index, minute by minute: the newest pair of the minute. The warehouse keeps
    them: a funding rate averages hours, and a run sees its own window alone.
-#}

with

ranked as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        {{ minute_start('captured_ts') }} as minute_ts,
        derivative_px / (reference_px * quote_rate) - 1 as premium_frac,
        row_number() over (
            partition by venue, kind, symbol, {{ minute_start('captured_ts') }}
            order by captured_ts desc, reference_symbol
        ) as recency_index

    from {{ ref('int_references_paired') }}

    where kind = 'perp' and reference_kind = 'index' and derivative_px_source = 'mid' and {{ in_window('utc_hour') }}

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        minute_ts,
        premium_frac

    from ranked

    where recency_index = 1

)

select * from final
