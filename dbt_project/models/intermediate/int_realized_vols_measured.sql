{{ config(meta={"partition": "matured"}) }}

{#-
    Close-to-close realised volatility (mean zero) from hourly bars, over the tenor that ends and the tenor that starts at each hour.
    A window with under 95 % of its bars is not measured; the forward one is complete only once the tenor has passed.
    A bar counts if it was told by then: for the tenor that ends with the hour by that hour, for the one that starts with it
    by the hour that it ends with. So later hours move no row, whichever were kept first.
-#}

with

bars as (

    select
        underlying,
        bar_ts,
        ln(close_px / lag(close_px) over (partition by underlying order by bar_ts)) as return_log,
        bar_ts - lag(bar_ts) over (partition by underlying order by bar_ts) as since_last,
        greatest(first_told_hour, lag(first_told_hour) over (partition by underlying order by bar_ts)) as told_hour

    from {{ ref('int_hourly_bars_merged') }}

    -- The bars that any window of this run can touch.
    where
        bar_ts >= cast('{{ var("from_hour") }}' as timestamptz) - interval '181 days'
        and bar_ts < cast('{{ var("to_hour") }}' as timestamptz) + interval '91 days'

),

-- A return across a hole is not an hour's return. Known at the end of its bar.
returns as (

    select
        underlying,
        bar_ts + interval '1 hour' as known_ts,
        told_hour,
        return_log

    from bars

    where since_last = interval '1 hour'

),

hours as (

    select distinct
        underlying,
        utc_hour

    from {{ ref('int_constant_maturity_vols_interpolated') }}

    where {{ in_matured_window('utc_hour') }}

),

tenors as (

    {% for days in tenors() -%}
    select {{ days }} as tenor_days {{ "union all" if not loop.last }}
    {% endfor %}

),

windows as (

    select
        hours.underlying,
        hours.utc_hour,
        tenors.tenor_days,
        count(case when returns.known_ts <= hours.utc_hour then 1 end) as trailing_bars_count,
        count(case when returns.known_ts > hours.utc_hour then 1 end) as forward_bars_count,
        max(returns.known_ts) as last_known_ts,
        {{ ordered_sum(
            'case when returns.known_ts <= hours.utc_hour then returns.return_log * returns.return_log end',
            'returns.known_ts'
        ) }} as trailing_variance,
        {{ ordered_sum(
            'case when returns.known_ts > hours.utc_hour then returns.return_log * returns.return_log end',
            'returns.known_ts'
        ) }} as forward_variance

    from hours

    cross join tenors

    left join returns
        on hours.underlying = returns.underlying
        and returns.known_ts > {{ plus_days('hours.utc_hour', '-tenors.tenor_days') }}
        and returns.known_ts <= {{ plus_days('hours.utc_hour', 'tenors.tenor_days') }}
        and returns.told_hour <= case
            when returns.known_ts <= hours.utc_hour then hours.utc_hour
            else {{ plus_days('hours.utc_hour', 'tenors.tenor_days') }}
        end

    group by hours.underlying, hours.utc_hour, tenors.tenor_days

),

final as (

    select
        underlying,
        utc_hour,
        tenor_days,
        -- Scaled to the whole tenor, so that a missing bar does not read as calm.
        case
            when trailing_bars_count >= 0.95 * 24 * tenor_days
                then sqrt(trailing_variance / trailing_bars_count * 24 * {{ days_per_year() }})
        end as realized_vol_trailing_ann,
        case
            when forward_bars_count >= 0.95 * 24 * tenor_days and last_known_ts = {{ plus_days('utc_hour', 'tenor_days') }}
                then sqrt(forward_variance / forward_bars_count * 24 * {{ days_per_year() }})
        end as realized_vol_forward_ann

    from windows

)

select * from final
