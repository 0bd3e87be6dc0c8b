{#-
    Where in the strikes option holders are placed, and how much delta a move there would shift.
    Formulas, signs and caveats: docs/metrics/risk.md#options-positioning-by-strike
-#}

with

contracts as (

    select * from {{ ref('int_option_positions_valued') }} where {{ in_window('utc_hour') }}

),

strikes as (

    select
        venue,
        underlying,
        expiry_ts,
        strike_px,
        utc_hour,
        captured_ts,
        count(*) as contracts_count,
        {%- for type in ['call', 'put'] %}
        {{ ordered_sum("case when option_type = '" ~ type ~ "' then open_interest_base end", 'symbol') }}
            as {{ type }}_oi_base,
        {{ ordered_sum("case when option_type = '" ~ type ~ "' then gamma_exposure_usd end", 'symbol') }}
            as {{ type }}_gamma_usd,
        {%- endfor %}
        {{ ordered_sum('gamma_exposure_usd', 'symbol') }} as gamma_exposure_usd,
        {{ ordered_sum('case when gamma_exposure_usd is null then 0.0 else open_interest_base end', 'symbol') }}
            as gamma_oi_base,
        {{ ordered_sum('open_interest_base', 'symbol') }} as oi_base

    from contracts

    group by venue, underlying, expiry_ts, strike_px, utc_hour, captured_ts

),

final as (

    select
        venue,
        underlying,
        expiry_ts,
        strike_px,
        utc_hour,
        captured_ts,
        contracts_count,
        call_oi_base,
        put_oi_base,
        call_gamma_usd,
        put_gamma_usd,
        gamma_exposure_usd,
        coalesce(call_gamma_usd - put_gamma_usd, call_gamma_usd, -put_gamma_usd)
            as gamma_if_dealers_long_calls_short_puts_usd,
        -gamma_exposure_usd as gamma_if_dealers_short_all_usd,
        gamma_oi_base / nullif(oi_base, 0) as gamma_oi_share_frac

    from strikes

)

select * from final
