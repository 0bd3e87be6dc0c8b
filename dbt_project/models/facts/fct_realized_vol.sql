{#-
    How much each underlying moved, by five estimators and with jumps apart, over windows that end with the hour.
    Formulas, windows and caveats: docs/metrics/risk.md#realised-volatility
-#}

{#- Windows in hours, each with the seconds of the bars that measure it: minutes and five minutes are of trades, hours of candles. -#}
{%- set hour_s = seconds_per_hour() %}
{%- set measured = [
    (1, 60), (1, 300), (24, 300), (24, hour_s), (168, hour_s), (720, hour_s), (1440, hour_s), (2160, hour_s),
] %}
{%- set ohlc = ['open_px', 'high_px', 'low_px', 'close_px'] %}
{%- set series = "partition by underlying, bar_s order by bar_ts" %}

with

minutes as (

    select * from {{ ref('int_minute_bars_built') }}

    -- The bars that any window of this run can touch, and the one before them.
    where
        utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", -1) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

five_minutes as (

    select
        underlying,
        utc_hour,
        {{ bar_start('bar_ts', 300) }} as bar_ts,
        {{ value_at_min('open_px', 'bar_ts') }} as open_px,
        max(high_px) as high_px,
        min(low_px) as low_px,
        {{ value_at_max('close_px', 'bar_ts') }} as close_px

    from minutes

    group by underlying, utc_hour, {{ bar_start('bar_ts', 300) }}

),

bars as (

    {% for rows, bar_s, told in [
        ('minutes', 60, 'utc_hour'), ('five_minutes', 300, 'utc_hour'),
        (ref('int_hourly_bars_merged'), hour_s, 'first_told_hour'),
    ] -%}
    select
        underlying,
        {{ bar_s }} as bar_s,
        bar_ts,
        bar_ts + interval '{{ bar_s }} seconds' as known_ts,
        {{ told }} as told_hour,
        {{ ohlc | join(', ') }}

    from {{ rows }}

    where
        bar_ts >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", -91) }}
        and bar_ts < cast('{{ var("to_hour") }}' as timestamptz)

    {{ "union all" if not loop.last }}

    {% endfor %}

),

followed as (

    select
        *,
        lag(close_px) over ({{ series }}) as previous_close_px,
        lag(known_ts) over ({{ series }}) as previous_known_ts,
        greatest(told_hour, lag(told_hour) over ({{ series }})) as step_told_hour

    from bars

),

-- From one close to the next; a move across a hole is not a bar's move.
steps as (

    select
        *,
        ln(close_px / previous_close_px) as return_log,
        ln(open_px / previous_close_px) as opening_log,
        ln(close_px / open_px) as inner_log

    from followed

    where previous_known_ts = bar_ts

),

measured_steps as (

    select
        *,
        case when lag(known_ts) over ({{ series }}) = bar_ts then lag(return_log) over ({{ series }}) end
            as previous_return_log,
        lag(step_told_hour) over ({{ series }}) as previous_told_hour,
        {{ parkinson_variance('high_px', 'low_px') }} as parkinson_variance,
        {{ garman_klass_variance(*ohlc) }} as garman_klass_variance,
        {{ rogers_satchell_variance(*ohlc) }} as rogers_satchell_variance

    from steps

),

hours as (

    select
        underlying,
        first_told_hour as utc_hour

    from {{ ref('int_hourly_bars_merged') }}

    where {{ in_window('first_told_hour') }}

    union

    select
        underlying,
        utc_hour

    from minutes

    where {{ in_window('utc_hour') }}

),

windows as (

    {% for window_hours, bar_s in measured -%}
    select
        {{ window_hours }} * {{ hour_s }} as window_s,
        {{ bar_s }} as bar_s
    {{ "union all" if not loop.last }}
    {% endfor %}

),

sums as (

    select
        hours.underlying,
        hours.utc_hour,
        windows.window_s,
        windows.bar_s,
        count(steps.known_ts) as bars_count,
        {%- for name, term in [
            ('squared_returns', 'steps.return_log * steps.return_log'),
            ('openings', 'steps.opening_log'),
            ('squared_openings', 'steps.opening_log * steps.opening_log'),
            ('inners', 'steps.inner_log'),
            ('squared_inners', 'steps.inner_log * steps.inner_log'),
            ('parkinson_variance', 'steps.parkinson_variance'),
            ('garman_klass_variance', 'steps.garman_klass_variance'),
            ('rogers_satchell_variance', 'steps.rogers_satchell_variance'),
        ] %}
        {{ ordered_sum(term, 'steps.known_ts') }} as {{ name }},
        {%- endfor %}
        -- Of two returns that touch, both must lie in the window and be known to the hour.
        {{ ordered_sum(
            'case when ' ~ epoch_s('steps.bar_ts') ~ ' > ' ~ epoch_s(hour_end('hours.utc_hour')) ~ ' - windows.window_s'
            ~ ' and steps.previous_told_hour <= hours.utc_hour then abs(steps.return_log) * abs(steps.previous_return_log) end',
            'steps.known_ts'
        ) }} as touching_products

    from hours

    cross join windows

    left join measured_steps as steps
        on hours.underlying = steps.underlying
        and windows.bar_s = steps.bar_s
        and hours.utc_hour >= steps.step_told_hour
        and {{ epoch_s('steps.known_ts') }} <= {{ epoch_s(hour_end('hours.utc_hour')) }}
        and {{ epoch_s('steps.known_ts') }} > {{ epoch_s(hour_end('hours.utc_hour')) }} - windows.window_s

    group by hours.underlying, hours.utc_hour, windows.window_s, windows.bar_s

),

whole as (

    select
        *,
        bars_count * bar_s >= 0.95 * window_s as is_whole,
        0.34 / (1.34 + (bars_count + 1.0) / (bars_count - 1)) as inner_weight,
        {{ sample_variance('bars_count', 'openings', 'squared_openings') }} as opening_variance,
        {{ sample_variance('bars_count', 'inners', 'squared_inners') }} as inner_variance,
        acos(-1.0) / 2 * touching_products as bipower_variance

    from sums

),

final as (

    select
        underlying,
        utc_hour,
        window_s,
        bar_s,
        bars_count,
        1.0 * bars_count * bar_s / window_s as bars_share_frac,
        {%- for name, variance in [
            ('close_to_close', 'squared_returns / bars_count'),
            ('parkinson', 'parkinson_variance / bars_count'),
            ('garman_klass', 'garman_klass_variance / bars_count'),
            ('rogers_satchell', 'rogers_satchell_variance / bars_count'),
            ('yang_zhang',
             'opening_variance + inner_weight * inner_variance'
             ~ ' + (1 - inner_weight) * rogers_satchell_variance / bars_count'),
        ] %}
        case when is_whole then sqrt(({{ variance }}) * {{ bars_per_year('bar_s') }}) end
            as realized_vol_{{ name }}_ann,
        {%- endfor %}
        case when is_whole then squared_returns end as realized_variance_frac,
        case when is_whole then bipower_variance end as bipower_variance_frac,
        case when is_whole then greatest(0.0, squared_returns - bipower_variance) end as jump_variance_frac,
        case when is_whole then greatest(0.0, squared_returns - bipower_variance) / nullif(squared_returns, 0) end
            as jump_share_frac

    from whole

)

select * from final
