{{ config(meta={"partition": "incoming", "key": ["underlying", "bar_ts"]}) }}

{#- Hourly closes of the reference pair of each underlying, once a bar, whichever hour's run brought them. -#}

with

candles as (

    select * from {{ ref('stg_candles') }}

    where
        interval_s = {{ seconds_per_hour() }}
        and venue = '{{ var("realized_vol_venue") }}'
        and quote_asset = '{{ var("realized_vol_quote_asset") }}'
        and kind = 'spot'
        -- A bar still open when it was captured is not a bar yet.
        and {{ epoch_s('bar_ts') }} + interval_s <= {{ epoch_s('captured_ts') }}
        and {{ in_window('utc_hour') }}

),

final as (

    select
        underlying,
        bar_ts,
        {{ value_at_max('close_px', 'captured_ts') }} as close_px

    from candles

    group by underlying, bar_ts

)

select * from final
