{#-
    What each option quote charges for volatility, why where it cannot be said, its Greeks, and the venue's own figures beside.
    Formulas, signs and caveats: docs/metrics/implied-volatility.md#implied-volatility
-#}

with

final as (

    select
        venue,
        kind,
        symbol,
        underlying,
        settle_asset,
        option_type,
        strike_px,
        expiry_ts,
        utc_hour,
        captured_ts,
        event_ts,
        look_ts,
        forward_px,
        forward_source,
        log_moneyness,
        years_to_expiry,
        {%- for quote in ["bid", "mid", "ask", "mark"] %}
        {{ quote }}_iv_ann,
        {{ quote }}_iv_reason,
        {%- endfor %}
        mark_iv_source,
        ask_iv_ann - bid_iv_ann as iv_spread_ann,
        delta_frac,
        coin_delta_frac,
        gamma_per_usd,
        coin_gamma_per_usd,
        vega_usd,
        vega_base,
        theta_usd,
        theta_base,
        venue_bid_iv_ann,
        venue_ask_iv_ann,
        venue_mark_iv_ann,
        mark_iv_ann - venue_mark_iv_ann as mark_vol_gap_ann,
        venue_delta_frac,
        venue_gamma_per_usd,
        venue_vega_usd,
        venue_theta_usd

    from {{ ref('stg_implied_vols') }}

    where {{ in_window('utc_hour') }}

)

select * from final
