{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    Who leaned on each book over a closed UTC day: means of its hours. An open day has no row.
    Formulas, signs and caveats: docs/metrics/marts.md#order-book-pressure
-#}

{%- set means = [
    'spread_bps', 'queue_imbalance_frac', 'depth_imbalance_10_frac', 'depth_imbalance_10bps_frac',
    'depth_imbalance_50bps_frac', 'bid_depth_10bps_usd', 'ask_depth_10bps_usd',
] %}

select
    venue,
    kind,
    symbol,
    {{ date_of('utc_hour') }} as utc_date,
    underlying,
    {% for column in means -%}
    {{ ordered_mean(column, 'utc_hour') }} as {{ column }},
    {% endfor -%}
    min(depth_imbalance_10bps_frac) as lowest_depth_imbalance_10bps_frac,
    max(depth_imbalance_10bps_frac) as highest_depth_imbalance_10bps_frac,
    {{ value_at_min('first_mid_px', 'case when first_mid_px is not null then utc_hour end') }} as first_mid_px,
    {{ value_at_max('last_mid_px', 'case when last_mid_px is not null then utc_hour end') }} as last_mid_px,
    cast(sum(order_books_count) as bigint) as order_books_count,
    cast(sum(crossed_books_count) as bigint) as crossed_books_count,
    {{ day_rests_on() }}

from {{ ref('mart_order_book_pressure_hourly') }}

where {{ in_closed_days('utc_hour') }}

group by venue, kind, symbol, {{ date_of('utc_hour') }}, underlying
