{{ config(meta={"partition": "incoming", "key": ["underlying", "bar_ts"]}) }}

{#-
    Hourly bars of the reference pair of each underlying, once a bar, whichever hour's run brought them, with the first
    hour whose replies told them, as those did: what an hour knew depends neither on which other hours ran with it nor on a
    later correction.
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

told as (

    select
        *,
        min(utc_hour) over (partition by underlying, bar_ts) as first_told_hour

    from candles

),

bars as (

    select
        underlying,
        bar_ts,
        {%- for px in ['open_px', 'high_px', 'low_px', 'close_px'] %}
        {{ value_at_max(px, 'captured_ts') }} as {{ px }},
        {%- endfor %}
        first_told_hour

    from told

    where utc_hour = first_told_hour

    group by underlying, bar_ts, first_told_hour

),

final as (

    select
        bars.underlying,
        bars.bar_ts,
        {%- for name in ['open_px', 'high_px', 'low_px', 'close_px', 'first_told_hour'] %}
        {%- if is_incremental() %}
        case when kept.first_told_hour < bars.first_told_hour then kept.{{ name }} else bars.{{ name }} end as {{ name }}
        {%- else %}
        bars.{{ name }}
        {%- endif %}{{ "," if not loop.last }}
        {%- endfor %}

    from bars

    {% if is_incremental() -%}
    left join {{ this }} as kept on {{ matches('bars', 'kept', ['underlying', 'bar_ts']) }}
    {%- endif %}

)

select * from final
