{{ config(meta={"partition": "incoming", "key": ["underlying", "bar_ts"]}) }}

{#-
    Hourly bars of the reference pair of each underlying, once a bar, whichever hour's run brought them, with the first
    hour whose replies told them: what an hour knew does not depend on which other hours ran with it.
-#}

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

bars as (

    select
        underlying,
        bar_ts,
        {%- for px in ['open_px', 'high_px', 'low_px', 'close_px'] %}
        {{ value_at_max(px, 'captured_ts') }} as {{ px }},
        {%- endfor %}
        min(utc_hour) as first_told_hour

    from candles

    group by underlying, bar_ts

),

final as (

    select
        bars.underlying,
        bars.bar_ts,
        bars.open_px,
        bars.high_px,
        bars.low_px,
        bars.close_px,
        {%- if is_incremental() %}
        least(bars.first_told_hour, kept.first_told_hour) as first_told_hour
        {%- else %}
        bars.first_told_hour
        {%- endif %}

    from bars

    {% if is_incremental() -%}
    left join {{ this }} as kept on {{ matches('bars', 'kept', ['underlying', 'bar_ts']) }}
    {%- endif %}

)

select * from final
