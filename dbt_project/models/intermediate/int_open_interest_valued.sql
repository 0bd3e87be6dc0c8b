{#- Open interest of perpetuals and dated futures at the hour's last look, in coin and dollars, and its change since the first. -#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}

with

interest as (

    select
        {{ instrument_hour }},
        underlying,
        captured_ts,
        max(open_interest_qty) as open_interest_qty,
        max(open_interest_usd) as open_interest_usd,
        max(open_interest_base) as open_interest_base

    from {{ ref('stg_open_interest') }}

    where kind in ('perp', 'future') and {{ in_window('utc_hour') }}

    group by {{ instrument_hour }}, underlying, captured_ts

),

prices as (

    select
        {{ instrument_hour }},
        quote_asset,
        derivative_px,
        captured_ts as px_captured_ts

    from {{ ref('int_derivative_quotes') }}

    where {{ in_window('utc_hour') }}

),

looks as (

    select
        interest.*,
        case
            when {{ epoch_s('interest.captured_ts') }} - {{ epoch_s('prices.px_captured_ts') }}
                <= {{ var("max_open_interest_age_s") }}
                then prices.derivative_px
        end as derivative_px,
        {{ is_at_par('prices.quote_asset') }} as is_in_dollars,
        row_number() over (partition by interest.venue, interest.kind, interest.symbol, interest.utc_hour order by interest.captured_ts)
            as oldest_first,
        row_number() over (
            partition by interest.venue, interest.kind, interest.symbol, interest.utc_hour order by interest.captured_ts desc
        ) as newest_first

    from interest

    {{ last_known_join(
        'interest', 'prices', ['venue', 'kind', 'symbol', 'utc_hour'], 'captured_ts', 'px_captured_ts'
    ) }}

),

final as (

    select
        first_looks.venue,
        first_looks.kind,
        first_looks.symbol,
        first_looks.utc_hour,
        first_looks.underlying,
        last_looks.captured_ts,
        last_looks.derivative_px,
        coalesce(
            last_looks.open_interest_usd,
            case when last_looks.is_in_dollars then last_looks.open_interest_base * last_looks.derivative_px end
        ) as open_interest_usd,
        coalesce(
            last_looks.open_interest_base,
            case when last_looks.is_in_dollars then last_looks.open_interest_usd / last_looks.derivative_px end
        ) as open_interest_base,
        last_looks.is_in_dollars,
        {{ epoch_s('last_looks.captured_ts') }} - {{ epoch_s('first_looks.captured_ts') }} as change_span_s,
        -- In the venue's own unit: dollars of a linear contract would change with the price alone.
        case
            when last_looks.captured_ts > first_looks.captured_ts
                then last_looks.open_interest_qty / nullif(first_looks.open_interest_qty, 0) - 1
        end as open_interest_change_frac,
        case
            when last_looks.captured_ts > first_looks.captured_ts
                then last_looks.derivative_px / first_looks.derivative_px - 1
        end as price_change_frac

    from looks as first_looks

    inner join looks as last_looks
        on {{ matches('first_looks', 'last_looks', ['venue', 'kind', 'symbol', 'utc_hour']) }}
        and last_looks.newest_first = 1

    where first_looks.oldest_first = 1

)

select * from final
