{#-
    One-minute bars of what traded, options apart, each with the bar of the minute before it.
    A minute without trades has no bar, and neither it nor the hour's start is bridged: what a gap in the tape hides is no return.
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}

with

trades as (

    select
        *,
        {{ minute_start('event_ts') }} as minute_ts,
        row_number() over (partition by {{ instrument_hour }} order by {{ trade_order() }}) as trade_index

    from {{ ref('stg_trades') }}

    where kind <> 'option' and {{ in_window('utc_hour') }}

),

bars as (

    select
        {{ instrument_hour }},
        underlying,
        minute_ts,
        {{ value_at_min('trade_px', 'trade_index') }} as open_px,
        max(trade_px) as high_px,
        min(trade_px) as low_px,
        {{ value_at_max('trade_px', 'trade_index') }} as close_px,
        count(*) as trades_count,
        case when count(*) = count(trade_usd) then {{ ordered_sum('trade_usd', 'trade_index') }} end as volume_usd

    from trades

    group by {{ instrument_hour }}, underlying, minute_ts

),

followed as (

    select
        *,
        lag(minute_ts) over successive = minute_ts - interval '1 minute' as is_adjacent,
        lag(high_px) over successive as earlier_high_px,
        lag(low_px) over successive as earlier_low_px,
        lag(close_px) over successive as earlier_close_px

    from bars

    window successive as (partition by {{ instrument_hour }} order by minute_ts)

),

final as (

    select
        {{ instrument_hour }},
        underlying,
        minute_ts,
        open_px,
        high_px,
        low_px,
        close_px,
        case when is_adjacent then earlier_high_px end as previous_high_px,
        case when is_adjacent then earlier_low_px end as previous_low_px,
        case when is_adjacent then earlier_close_px end as previous_close_px,
        trades_count,
        volume_usd

    from followed

)

select * from final
