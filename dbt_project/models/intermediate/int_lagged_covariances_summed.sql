{#-
    Hayashi-Yoshida covariance of log prices of two series that trade at their own instants, for each lag of a grid:
    sum of the products of all moves whose stretches of time overlap, with the first series put later by the lag.
    The moves of the reference that overlap one stretch add up to the reference's price at the first instant at or after the
    stretch's end, less that at the last instant at or before its start. Where one stretch ends the next starts, so that one
    look-up an instant serves both, instead of a join of all with all. Series go by a number: look-ups sort what they are given.
-#}

{%- set series = ['venue', 'kind', 'symbol', 'utc_hour', 'underlying', 'volume_rank', 'rivals'] %}
{%- set looked_up = ['series', 'reference', 'lag_ms'] %}

with

prices as (

    select
        *,
        dense_rank() over (order by utc_hour, underlying) as rivals,
        dense_rank() over (order by utc_hour, underlying, volume_rank) as series

    from {{ ref('int_second_prices_sampled') }}

    where {{ in_window('utc_hour') }}

),

named as (

    select series, {{ series | join(', ') }} from prices group by series, {{ series | join(', ') }}

),

reference_prices as (

    select
        series as reference,
        event_ts as reference_ts,
        log_px as at_log_px,
        coalesce(next_log_px, log_px) as after_log_px,
        first_log_px

    from prices

),

lags as (

    {% for lag_ms in var("lead_lags_ms") -%}
    select {{ lag_ms }} as lag_ms, interval '{{ lag_ms }} milliseconds' as shift {{ "union all" if not loop.last }}
    {% endfor %}

),

-- Each series against each that trades more.
instants as (

    select
        prices.series,
        named.series as reference,
        lags.lag_ms,
        prices.event_ts,
        prices.log_px - prices.previous_log_px as move_log,
        prices.event_ts + lags.shift as shifted_ts

    from prices

    inner join named on {{ matches('prices', 'named', ['rivals']) }} and prices.volume_rank > named.volume_rank

    cross join lags

),

found as (

    select
        instants.series,
        instants.reference,
        instants.lag_ms,
        instants.event_ts,
        instants.move_log,
        reference_prices.first_log_px,
        reference_prices.at_log_px as start_log_px,
        case
            when reference_prices.reference_ts = instants.shifted_ts then reference_prices.at_log_px
            else reference_prices.after_log_px
        end as end_log_px

    from instants

    {{ last_known_join('instants', 'reference_prices', ['reference'], 'shifted_ts', 'reference_ts') }}

),

-- A stretch that ends before the reference's first trade overlaps none of its moves.
products as (

    select
        {{ looked_up | join(', ') }},
        event_ts,
        move_log * coalesce(
            end_log_px - coalesce(
                lag(start_log_px) over (partition by {{ looked_up | join(', ') }} order by event_ts), first_log_px
            ), 0
        ) as product

    from found

),

summed as (

    select
        {{ looked_up | join(', ') }},
        {{ ordered_sum('product', 'event_ts') }} as covariance

    from products

    where product is not null

    group by {{ looked_up | join(', ') }}

),

final as (

    select
        named.venue,
        named.kind,
        named.symbol,
        reference.venue as reference_venue,
        reference.kind as reference_kind,
        reference.symbol as reference_symbol,
        named.utc_hour,
        named.underlying,
        summed.lag_ms,
        summed.covariance

    from summed

    inner join named on {{ matches('summed', 'named', ['series']) }}

    inner join named as reference on summed.reference = reference.series

)

select * from final
