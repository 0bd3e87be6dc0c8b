{#-
    At-the-money-forward volatility of each expiry of each settlement asset and look: the mark's implied vol at the two strikes around the expiry's own forward,
    call and put averaged, linear in log-strike. No row where the forward is not bracketed.
-#}

{%- set slice = "venue, underlying, settle_asset, utc_hour, captured_ts, expiry_ts" %}

with

-- One look may be told in several replies: of each option its newest mark's vol.
newest as (

    select
        *,
        row_number() over (
            partition by venue, symbol, utc_hour, look_ts order by captured_ts desc, event_ts desc
        ) as newest_first

    from {{ ref('stg_implied_vols') }}

    where mark_iv_ann is not null and expiry_ts > look_ts and {{ in_window('utc_hour') }}

),

vols as (

    select
        venue,
        underlying,
        settle_asset,
        utc_hour,
        look_ts as captured_ts,
        expiry_ts,
        strike_px,
        option_type,
        forward_px,
        mark_iv_ann

    from newest

    where newest_first = 1

),

-- The rows of one expiry may carry forwards a tick apart; the median stands for all.
expiries as (

    select
        {{ slice }},
        median(forward_px) as forward_px,
        {{ days_between("captured_ts", "expiry_ts") }} / {{ days_per_year() }} as years_to_expiry,
        count(*) as quotes_count

    from vols

    group by {{ slice }}

),

strikes as (

    select
        {{ slice }},
        strike_px,
        {{ ordered_mean('mark_iv_ann', 'option_type') }} as strike_iv_ann

    from vols

    group by {{ slice }}, strike_px

),

around as (

    select
        expiries.venue,
        expiries.underlying,
        expiries.settle_asset,
        expiries.utc_hour,
        expiries.captured_ts,
        expiries.expiry_ts,
        expiries.forward_px,
        expiries.years_to_expiry,
        expiries.quotes_count,
        max(case when strikes.strike_px <= expiries.forward_px then strikes.strike_px end) as strike_below_px,
        min(case when strikes.strike_px >= expiries.forward_px then strikes.strike_px end) as strike_above_px

    from expiries

    inner join strikes
        on {{ matches('expiries', 'strikes', ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts', 'expiry_ts']) }}

    group by all

),

final as (

    select
        around.venue,
        around.underlying,
        around.settle_asset,
        around.utc_hour,
        around.captured_ts,
        around.expiry_ts,
        around.forward_px,
        around.years_to_expiry,
        around.quotes_count,
        case
            when around.strike_below_px = around.strike_above_px then below.strike_iv_ann
            else
                below.strike_iv_ann + (above.strike_iv_ann - below.strike_iv_ann)
                * ln(around.forward_px / around.strike_below_px)
                / ln(around.strike_above_px / around.strike_below_px)
        end as atm_iv_ann

    from around

    inner join strikes as below
        on {{ matches('around', 'below', ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts', 'expiry_ts']) }}
        and around.strike_below_px = below.strike_px

    inner join strikes as above
        on {{ matches('around', 'above', ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts', 'expiry_ts']) }}
        and around.strike_above_px = above.strike_px

)

select * from final
