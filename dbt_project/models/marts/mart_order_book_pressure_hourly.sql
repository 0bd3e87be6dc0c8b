{#-
    Who leaned on each book over the hour: means of its snapshots, crossed and locked ones left out.
    Formulas, signs and caveats: docs/metrics/marts.md#order-book-pressure
-#}

{%- set means = [
    'spread_bps', 'queue_imbalance_frac', 'depth_imbalance_10_frac', 'depth_imbalance_10bps_frac',
    'depth_imbalance_50bps_frac', 'bid_depth_10bps_usd', 'ask_depth_10bps_usd',
] %}

with

books as (

    select
        *,
        not (is_crossed or is_locked) as is_sound

    from {{ ref('fct_order_book_imbalance') }}

    where {{ in_window('utc_hour') }}

),

averages as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        {% for column in means -%}
        {{ ordered_mean('case when is_sound then ' ~ column ~ ' end', 'captured_ts') }} as {{ column }},
        {% endfor -%}
        {{ value_at_min('mid_px', 'case when mid_px is not null and is_sound then captured_ts end') }} as first_mid_px,
        {{ value_at_max('mid_px', 'case when mid_px is not null and is_sound then captured_ts end') }} as last_mid_px,
        count(*) as order_books_count,
        count(case when not is_sound then 1 end) as crossed_books_count

    from books

    group by venue, kind, symbol, utc_hour, underlying

),

coverage as (

    select
        venue,
        utc_hour,
        covered_frac

    from {{ ref('fct_data_coverage') }}

    where dataset = 'order_books' and is_usable and {{ in_window('utc_hour') }}

),

final as (

    select
        averages.*,
        {{ bps('averages.last_mid_px - averages.first_mid_px', 'averages.first_mid_px') }} as mid_change_bps,
        coverage.covered_frac as coverage_frac,
        {{ grade('coverage.covered_frac') }} as quality_grade

    from averages

    left join coverage on {{ matches('averages', 'coverage', ['venue', 'utc_hour']) }}

)

select * from final
