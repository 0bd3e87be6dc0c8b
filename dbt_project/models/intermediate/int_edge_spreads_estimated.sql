{#-
    The bid-ask spread that open, high, low and close of successive minutes give away: EDGE of Ardia, Guidotti and Kroencke
    (2024), two moment conditions weighed by their variances. Signed: a negative estimate says that the spread drowns in the moves.
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}
{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

bars as (

    select
        {{ instrument_hour }},
        minute_ts,
        ln(open_px) as o,
        ln(close_px) as c,
        ln(previous_close_px) as c1,
        (ln(high_px) + ln(low_px)) / 2 as m,
        (ln(previous_high_px) + ln(previous_low_px)) / 2 as m1,
        -- Whether anything moved at all, and whether each end of a bar stands apart from its extremes.
        case when high_px <> low_px or low_px <> previous_close_px then 1.0 else 0.0 end as has_moved,
        case when open_px <> high_px then 1.0 else 0.0 end as is_open_off_high,
        case when open_px <> low_px then 1.0 else 0.0 end as is_open_off_low,
        case when previous_close_px <> previous_high_px then 1.0 else 0.0 end as is_close_off_high,
        case when previous_close_px <> previous_low_px then 1.0 else 0.0 end as is_close_off_low

    from {{ ref('int_minute_bars_drawn') }}

    where previous_close_px is not null and {{ in_window('utc_hour') }}

),

means as (

    select
        {{ instrument_hour }},
        count(*) as minutes_count,
        sum(has_moved) as moved_count,
        avg(has_moved) as moved_frac,
        avg(has_moved * is_open_off_high) + avg(has_moved * is_open_off_low) as open_off_frac,
        avg(has_moved * is_close_off_high) + avg(has_moved * is_close_off_low) as close_off_frac,
        {{ ordered_mean('m - o', 'minute_ts') }} as mean_1,
        {{ ordered_mean('m - c1', 'minute_ts') }} as mean_3,
        {{ ordered_mean('o - c1', 'minute_ts') }} as mean_5

    from bars

    group by {{ instrument_hour }}

),

measurable as (

    select * from means

    -- One minute that moved is its own mean, and rounding is all that is left of it.
    where minutes_count >= {{ var("minutes_needed") }} and moved_count >= 2 and open_off_frac > 0 and close_off_frac > 0

),

centred as (

    select
        measurable.*,
        bars.minute_ts,
        bars.o,
        bars.c1,
        bars.m1,
        bars.m - bars.o - bars.has_moved * measurable.mean_1 / measurable.moved_frac as d1,
        bars.m - bars.c1 - bars.has_moved * measurable.mean_3 / measurable.moved_frac as d3,
        bars.o - bars.c1 - bars.has_moved * measurable.mean_5 / measurable.moved_frac as d5

    from bars

    inner join measurable on {{ matches('bars', 'measurable', contract) }}

),

conditions as (

    select
        *,
        -4 / open_off_frac * d1 * (o - m1) - 4 / close_off_frac * d3 * (c1 - m1) as x1,
        -4 / open_off_frac * d1 * (o - c1) - 4 / close_off_frac * d5 * (c1 - m1) as x2

    from centred

),

moments as (

    select
        {{ instrument_hour }},
        minutes_count,
        {{ ordered_mean('x1', 'minute_ts') }} as e1,
        {{ ordered_mean('x2', 'minute_ts') }} as e2,
        {{ ordered_mean('x1 * x1', 'minute_ts') }} as s1,
        {{ ordered_mean('x2 * x2', 'minute_ts') }} as s2

    from conditions

    group by {{ instrument_hour }}, minutes_count

),

squares as (

    select
        {{ instrument_hour }},
        minutes_count,
        -- The steadier condition weighs more.
        ((s2 - e2 * e2) * e1 + (s1 - e1 * e1) * e2) / nullif(s1 - e1 * e1 + s2 - e2 * e2, 0) as spread_squared

    from moments

),

final as (

    select
        {{ instrument_hour }},
        minutes_count,
        {{ bps('sign(spread_squared) * sqrt(abs(spread_squared))', 1) }} as edge_spread_bps

    from squares

)

select * from final
