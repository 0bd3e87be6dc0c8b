{#- Implied volatility of each quote, solved on the expiry's own forward by `ingestion/estimators/implied_vols.py`. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    underlying,
    settle_asset,
    option_type,
    forward_source,
    mark_iv_source,
    strike_px,
    forward_px,
    log_moneyness,
    years_to_expiry,
    {%- for quote in ["bid", "mid", "ask", "mark"] %}
    {{ quote }}_premium_usd,
    {{ quote }}_iv_ann,
    {{ quote }}_iv_reason,
    {%- endfor %}
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
    venue_delta_frac,
    venue_gamma_per_usd,
    venue_vega_usd,
    venue_theta_usd,
    expiry_ts,
    event_ts,
    look_ts,
    captured_ts

from {{ source('lake', 'implied_vols') }}
