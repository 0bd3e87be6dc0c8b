{#-
    Where a venue publishes a number that we make too: ours less theirs, in basis points of what the number counts.
    The warehouse keeps them for the day's distribution.
-#}

with

funding as (

    select
        venue,
        'funding' as metric,
        underlying,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        {{ bps('recomputed_rate - funding_rate', '1') }} as error_bps,
        definition_version

    from {{ ref('int_funding_recomputed') }}

    where {{ in_window('utc_hour') }}

),

-- A mark is the venue's own idea of the mid.
marks as (

    select
        venue,
        'mark' as metric,
        underlying,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        {{ bps('derivative_px - mark_px', 'mark_px') }} as error_bps,
        cast(null as integer) as definition_version

    from {{ ref('int_derivative_quotes') }}

    where {{ in_window('utc_hour') }} and derivative_px_source = 'mid' and mark_px is not null

),

stated as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        max(mark_iv_ann) as stated_iv_ann

    from {{ ref('stg_option_quotes') }}

    where {{ in_window('utc_hour') }}

    group by venue, kind, symbol, utc_hour, captured_ts

),

-- Only what we inverted: a vol taken over from the venue agrees with it by itself.
inverted as (

    select * from {{ ref('stg_implied_vols') }}

    where mark_iv_source = 'inverted' and mark_iv_ann is not null and {{ in_window('utc_hour') }}

),

vols as (

    select
        inverted.venue,
        'mark_iv' as metric,
        inverted.underlying,
        inverted.kind,
        inverted.symbol,
        inverted.utc_hour,
        inverted.captured_ts,
        {{ bps('inverted.mark_iv_ann - stated.stated_iv_ann', '1') }} as error_bps,
        cast(null as integer) as definition_version

    from inverted

    inner join stated on {{ matches('inverted', 'stated', ['venue', 'kind', 'symbol', 'utc_hour', 'captured_ts']) }}

    where stated.stated_iv_ann > 0

),

final as (

    select * from funding
    union all
    select * from marks
    union all
    select * from vols

)

select * from final
