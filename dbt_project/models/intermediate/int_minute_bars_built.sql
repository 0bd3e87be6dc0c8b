{#- Bars of a minute of the reference pair of each underlying, from the hour's own trades; a minute without a trade has none. -#}

{%- set bar = ['underlying', 'utc_hour', 'bar_ts'] %}

with

trades as (

    select
        underlying,
        utc_hour,
        {{ bar_start('event_ts', 60) }} as bar_ts,
        event_ts,
        trade_id,
        trade_px

    from {{ ref('stg_trades') }}

    where
        venue = '{{ var("realized_vol_venue") }}'
        and quote_asset = '{{ var("realized_vol_quote_asset") }}'
        and kind = 'spot'
        and {{ in_window('utc_hour') }}

),

bars as (

    select
        {{ bar | join(', ') }},
        min(event_ts) as first_ts,
        max(event_ts) as last_ts,
        max(trade_px) as high_px,
        min(trade_px) as low_px,
        count(*) as trades_count

    from trades

    group by {{ bar | join(', ') }}

),

outermost as (

    select
        underlying,
        first_ts as event_ts
    from bars

    union

    select
        underlying,
        last_ts as event_ts
    from bars

),

-- Of several trades of one instant the order is that of their ids: only the few at either end need be asked.
ends as (

    select
        {{ bar | join(', ') }},
        {{ value_at_min('trade_px', 'trade_index') }} as open_px,
        {{ value_at_max('trade_px', 'trade_index') }} as close_px

    from (
        select
            {{ bar | join(', ') }},
            trade_px,
            row_number() over (
                partition by underlying, utc_hour order by event_ts, {{ counted_up('trade_id') }}
            ) as trade_index

        from trades

        where (underlying, event_ts) in (select underlying, event_ts from outermost)
    ) as ordered

    group by {{ bar | join(', ') }}

),

final as (

    select
        bars.underlying,
        bars.utc_hour,
        bars.bar_ts,
        ends.open_px,
        bars.high_px,
        bars.low_px,
        ends.close_px,
        bars.trades_count

    from bars

    inner join ends on {{ matches('bars', 'ends', bar) }}

)

select * from final
