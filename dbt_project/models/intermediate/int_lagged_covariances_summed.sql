{#-
    Hayashi-Yoshida covariance of log prices of two series that trade at their own instants, for each lag of a grid:
    sum of the products of all moves whose stretches of time overlap, with the first series put later by the lag.
    The moves of the reference that overlap one stretch add up to the reference's price at the first instant at or after the
    stretch's end, less that at the last instant at or before its start: two look-ups instead of a join of all with all.
-#}

{%- set pair = ['venue', 'kind', 'symbol', 'reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour'] %}

with

prices as (

    select * from {{ ref('int_second_prices_sampled') }} where {{ in_window('utc_hour') }}

),

reference_prices as (

    select
        venue as reference_venue,
        kind as reference_kind,
        symbol as reference_symbol,
        utc_hour,
        underlying,
        volume_rank as reference_rank,
        event_ts as reference_ts,
        log_px as reference_log_px,
        coalesce(next_log_px, log_px) as reference_next_log_px,
        first_log_px as reference_first_log_px

    from prices

),

referenced as (

    select
        reference_venue,
        reference_kind,
        reference_symbol,
        utc_hour,
        underlying,
        reference_rank

    from reference_prices

    group by reference_venue, reference_kind, reference_symbol, utc_hour, underlying, reference_rank

),

lags as (

    {% for lag_ms in var("lead_lags_ms") -%}
    select {{ lag_ms }} as lag_ms, interval '{{ lag_ms }} milliseconds' as shift {{ "union all" if not loop.last }}
    {% endfor %}

),

-- Each series against each that trades more. An instant strictly before is one a microsecond earlier.
stretches as (

    select
        prices.venue,
        prices.kind,
        prices.symbol,
        prices.utc_hour,
        prices.underlying,
        referenced.reference_venue,
        referenced.reference_kind,
        referenced.reference_symbol,
        lags.lag_ms,
        prices.event_ts,
        prices.log_px - prices.previous_log_px as move_log,
        prices.previous_ts + lags.shift as from_ts,
        prices.event_ts + lags.shift - interval '1 microsecond' as before_to_ts

    from prices

    inner join referenced
        on {{ matches('prices', 'referenced', ['underlying', 'utc_hour']) }}
        and prices.volume_rank > referenced.reference_rank

    cross join lags

    where prices.previous_ts is not null

),

ended as (

    select
        stretches.*,
        reference_prices.reference_next_log_px as end_log_px,
        reference_prices.reference_first_log_px as first_log_px

    from stretches

    {{ last_known_join(
        'stretches', 'reference_prices', ['reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour'],
        'before_to_ts', 'reference_ts'
    ) }}

),

begun as (

    select
        ended.*,
        coalesce(reference_prices.reference_log_px, ended.first_log_px) as start_log_px

    from ended

    {{ last_known_join(
        'ended', 'reference_prices', ['reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour'],
        'from_ts', 'reference_ts'
    ) }}

),

final as (

    select
        {{ pair | join(', ') }},
        underlying,
        lag_ms,
        -- A stretch that ends before the reference's first trade overlaps none of its moves.
        {{ ordered_sum('move_log * coalesce(end_log_px - start_log_px, 0)', 'event_ts') }} as covariance

    from begun

    group by {{ pair | join(', ') }}, underlying, lag_ms

)

select * from final
