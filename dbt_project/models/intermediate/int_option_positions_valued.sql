{#-
    Each option's open interest at each look at its venue, with the newest volume and gamma known then.
    Gamma is of Black-76 on the expiry's own forward and the mark's volatility: docs/metrics/risk.md#options-positioning-by-strike
-#}

with

observed as (

    select
        venue,
        symbol,
        underlying,
        utc_hour,
        captured_ts,
        expiry_ts,
        strike_px,
        option_type,
        max(open_interest_base) as open_interest_base

    from {{ ref('stg_open_interest') }}

    where kind = 'option' and expiry_ts > captured_ts and {{ in_window('utc_hour') }}

    group by venue, symbol, underlying, utc_hour, captured_ts, expiry_ts, strike_px, option_type

),

-- A venue may tell its options in several replies, one a currency or an expiry: those that follow each other closely
-- are one look, of the instant when it was whole.
paced as (

    select
        *,
        case
            when {{ epoch_s('captured_ts') }} - lag({{ epoch_s('captured_ts') }}) over (
                partition by venue, underlying, utc_hour order by captured_ts
            ) > {{ var("max_gap_in_sweep_s") }} then 1
            else 0
        end as is_next_sweep

    from observed

),

numbered as (

    select
        *,
        sum(is_next_sweep) over (partition by venue, underlying, utc_hour order by captured_ts) as sweep

    from paced

),

swept as (

    select
        *,
        max(captured_ts) over (partition by venue, underlying, utc_hour, sweep) as swept_ts,
        row_number() over (
            partition by venue, symbol, utc_hour, sweep order by captured_ts desc
        ) as newest_first

    from numbered

),

interest as (

    select
        venue,
        symbol,
        underlying,
        utc_hour,
        expiry_ts,
        strike_px,
        option_type,
        open_interest_base,
        swept_ts as captured_ts

    from swept

    -- What expired between two replies of a look is not open any more.
    where newest_first = 1 and expiry_ts > swept_ts

),

volumes as (

    select
        venue,
        symbol,
        utc_hour,
        captured_ts as volume_captured_ts,
        max(volume_24h_base) as volume_24h_base

    from {{ ref('stg_option_quotes') }}

    where volume_24h_base is not null and {{ in_window('utc_hour') }}

    group by venue, symbol, utc_hour, captured_ts

),

vols as (

    select
        venue,
        symbol,
        utc_hour,
        forward_px,
        mark_iv_ann,
        captured_ts as vol_captured_ts

    from {{ ref('stg_implied_vols') }}

    where mark_iv_ann is not null and {{ in_window('utc_hour') }}

),

-- A venue may tell open interest, volume and prices in several replies: the newest at or before the open interest.
with_volume as (

    select
        interest.*,
        case
            when {{ epoch_s('interest.captured_ts') }} - {{ epoch_s('volumes.volume_captured_ts') }}
                <= {{ var("max_open_interest_age_s") }}
                then volumes.volume_24h_base
        end as volume_24h_base

    from interest

    {{ last_known_join(
        'interest', 'volumes', ['venue', 'symbol', 'utc_hour'], 'captured_ts', 'volume_captured_ts'
    ) }}

),

with_vol as (

    select
        with_volume.*,
        {{ days_between('with_volume.captured_ts', 'with_volume.expiry_ts') }} / {{ days_per_year() }}
            as years_to_expiry,
        vols.forward_px,
        case
            when {{ epoch_s('with_volume.captured_ts') }} - {{ epoch_s('vols.vol_captured_ts') }}
                <= {{ var("max_open_interest_age_s") }}
                then vols.mark_iv_ann
        end as mark_iv_ann

    from with_volume

    {{ last_known_join('with_volume', 'vols', ['venue', 'symbol', 'utc_hour'], 'captured_ts', 'vol_captured_ts') }}

),

final as (

    select
        venue,
        symbol,
        underlying,
        utc_hour,
        expiry_ts,
        strike_px,
        option_type,
        open_interest_base,
        volume_24h_base,
        {{ gamma_exposure_usd(
            black76_gamma('forward_px', 'strike_px', 'mark_iv_ann', 'years_to_expiry'),
            'open_interest_base', 'forward_px'
        ) }} as gamma_exposure_usd,
        captured_ts

    from with_vol

)

select * from final
