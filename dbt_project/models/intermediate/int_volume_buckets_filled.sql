{#-
    Each hour's trades poured, in their order, into buckets of one size; a trade that overflows one fills the next.
    The size is a part of the median hourly volume of the week before, so that it needs no future; the bucket that the hour ends
    in is not full and left out. Whole millionths of a dollar, so that edges are exact.
    Of the buckets that one trade fills beyond a window's the last alone has a row, and `bucket_index` leaps to it: they are alike,
    and so are the windows that end with them. After a week of dust, one trade may fill millions.
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}
{%- set instrument = ['venue', 'kind', 'symbol'] %}
{%- set window_buckets = var("vpin_window_buckets") %}
{%- set recent_rows = "rows between " ~ (window_buckets - 1) ~ " preceding and current row" %}

with

history as (

    select * from {{ ref('int_hourly_flows_gathered') }}

    where
        utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", '-' ~ var("vpin_history_days")) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

sizes as (

    select
        present.venue,
        present.kind,
        present.symbol,
        present.utc_hour,
        {{ millionths(median_of('history.volume_usd') ~ ' / ' ~ var("vpin_buckets_an_hour")) }} as bucket_size

    from history as present

    inner join history
        on {{ matches('present', 'history', instrument) }}
        and history.utc_hour < present.utc_hour
        and history.utc_hour >= {{ plus_days('present.utc_hour', '-' ~ var("vpin_history_days")) }}

    where {{ in_window('present.utc_hour') }}

    group by present.venue, present.kind, present.symbol, present.utc_hour

    having count(*) >= {{ var("vpin_history_needed") }}

),

trades as (

    select
        *,
        {{ millionths('trade_usd') }} as size

    from {{ ref('stg_trades') }}

    where kind <> 'option' and trade_usd > 0 and {{ in_window('utc_hour') }}

),

poured as (

    select
        trades.venue,
        trades.kind,
        trades.symbol,
        trades.utc_hour,
        trades.side,
        trades.event_ts,
        trades.size,
        sizes.bucket_size,
        cast(sum(trades.size) over (
            partition by trades.venue, trades.kind, trades.symbol, trades.utc_hour order by {{ trade_order() }}
            rows between unbounded preceding and current row
        ) as bigint) as poured_size

    from trades

    inner join sizes on {{ matches('trades', 'sizes', instrument + ['utc_hour']) }}

    where sizes.bucket_size > 0

),

bounds as (

    select
        *,
        {{ whole_quotient('poured_size - size', 'bucket_size') }} as first_index,
        {{ whole_quotient('poured_size - 1', 'bucket_size') }} as last_index

    from poured

    where size > 0

),

-- The first bucket, as many as a window holds, the last of those further ones, and the last.
stepped as (

    select
        *,
        {{ each_whole('cast(0 as bigint)', 'least(last_index - first_index, ' ~ (window_buckets + 2) ~ ')') }} as step

    from bounds

),

pieces as (

    select
        *,
        case
            when step <= {{ window_buckets }} then first_index + step
            else greatest(first_index + step, last_index - {{ window_buckets + 2 }} + step)
        end as bucket_index

    from stepped

),

split as (

    select
        *,
        least(poured_size, (bucket_index + 1) * bucket_size) - greatest(poured_size - size, bucket_index * bucket_size)
            as piece_size

    from pieces

),

buckets as (

    select
        {{ instrument_hour }},
        bucket_index,
        bucket_size,
        cast(sum(case when side = 'buy' then piece_size else 0 end) as bigint) as buy_size,
        cast(sum(case when side = 'sell' then piece_size else 0 end) as bigint) as sell_size,
        max(event_ts) as filled_ts

    from split

    group by {{ instrument_hour }}, bucket_index, bucket_size

    having sum(piece_size) = bucket_size

),

windows as (

    select
        *,
        count(*) over recent as recent_count,
        sum(abs(buy_size - sell_size)) over recent as recent_imbalance

    from buckets

    window recent as (partition by {{ instrument_hour }} order by bucket_index {{ recent_rows }})

),

final as (

    select
        {{ instrument_hour }},
        bucket_index,
        {{ from_millionths('bucket_size') }} as bucket_usd,
        {{ from_millionths('buy_size') }} as buy_usd,
        {{ from_millionths('sell_size') }} as sell_usd,
        case when recent_count = {{ window_buckets }} then recent_imbalance / (recent_count * bucket_size) end
            as vpin_frac,
        filled_ts

    from windows

)

select * from final
