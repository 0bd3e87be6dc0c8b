{#-
    What rests at which distance from mid, minute by minute: what a heat map or a depth chart draws.
    Formulas and caveats: docs/metrics/books.md#book-profile
-#}

{%- set edges_bps = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500] %}

with

books as (

    select
        *,
        {{ minute_start('captured_ts') }} as bar_start_ts,
        ({{ element('bid_px', 1) }} + {{ element('ask_px', 1) }}) / 2 as mid_px,
        {{ element('bid_px', 'nullif(' ~ size_of('bid_px') ~ ', 0)') }} as lowest_bid_px,
        {{ element('ask_px', 'nullif(' ~ size_of('ask_px') ~ ', 0)') }} as highest_ask_px

    from {{ ref('stg_order_books') }}

    where is_in_dollars and {{ element('bid_px', 1) }} < {{ element('ask_px', 1) }} and {{ in_window('utc_hour') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by venue, kind, symbol, bar_start_ts
            order by captured_ts desc
        ) as recency

    from books

),

-- From the touch outward, as distances.
buckets as (

    {% for edge_bps in edges_bps -%}
    select
        cast({{ loop.previtem | default(0) }} as double) as near_bps,
        cast({{ edge_bps }} as double) as far_bps
    {{ "union all" if not loop.last }}
    {% endfor %}

),

-- A bucket that the book does not span whole has no row: what rests in the rest of it is not known.
bid_buckets as (

    select
        ranked.*,
        0 - buckets.far_bps as lower_bps,
        0 - buckets.near_bps as upper_bps,
        {{ count_within('ranked.bid_px', '>=', just_below(shifted_by('ranked.mid_px', '-buckets.near_bps'))) }} as nearer_count,
        {{ count_within('ranked.bid_px', '>=', just_below(shifted_by('ranked.mid_px', '-buckets.far_bps'))) }} as until_count

    from ranked

    inner join buckets on ranked.lowest_bid_px <= {{ just_above(shifted_by('ranked.mid_px', '-buckets.far_bps')) }}

    where ranked.recency = 1

),

ask_buckets as (

    select
        ranked.*,
        buckets.near_bps as lower_bps,
        buckets.far_bps as upper_bps,
        {{ count_within('ranked.ask_px', '<=', just_above(shifted_by('ranked.mid_px', 'buckets.near_bps'))) }} as nearer_count,
        {{ count_within('ranked.ask_px', '<=', just_above(shifted_by('ranked.mid_px', 'buckets.far_bps'))) }} as until_count

    from ranked

    inner join buckets on ranked.highest_ask_px >= {{ just_below(shifted_by('ranked.mid_px', 'buckets.far_bps')) }}

    where ranked.recency = 1

),

both_sides as (

    select
        *,
        {{ sum_between('bid_usd', 'nearer_count', 'until_count') }} as resting_usd

    from bid_buckets

    union all

    select
        *,
        {{ sum_between('ask_usd', 'nearer_count', 'until_count') }} as resting_usd

    from ask_buckets

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        lower_bps,
        upper_bps,
        {{ shifted_by('mid_px', 'lower_bps') }} as lower_px,
        {{ shifted_by('mid_px', 'upper_bps') }} as upper_px,
        mid_px,
        resting_usd,
        bar_start_ts,
        captured_ts

    from both_sides

)

select * from final
