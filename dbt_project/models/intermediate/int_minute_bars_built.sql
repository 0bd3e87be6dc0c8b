{#- Bars of a minute of the reference pair of each underlying, from the hour's own trades; a minute without a trade has none. -#}

with

trades as (

    select
        underlying,
        utc_hour,
        {{ bar_start('event_ts', 60) }} as bar_ts,
        trade_px,
        row_number() over (
            partition by underlying, utc_hour order by event_ts, {{ counted_up('trade_id') }}
        ) as trade_index

    from {{ ref('stg_trades') }}

    where
        venue = '{{ var("realized_vol_venue") }}'
        and quote_asset = '{{ var("realized_vol_quote_asset") }}'
        and kind = 'spot'
        and {{ in_window('utc_hour') }}

),

final as (

    select
        underlying,
        utc_hour,
        bar_ts,
        {{ value_at_min('trade_px', 'trade_index') }} as open_px,
        max(trade_px) as high_px,
        min(trade_px) as low_px,
        {{ value_at_max('trade_px', 'trade_index') }} as close_px,
        count(*) as trades_count

    from trades

    group by underlying, utc_hour, bar_ts

)

select * from final
