{#- Implied volatility of each quote, solved on the expiry's own forward by `ingestion/estimators/implied_vols.py`. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    underlying,
    option_type,
    forward_source,
    mark_iv_source,
    strike_px,
    forward_px,
    years_to_expiry,
    bid_iv_ann,
    mid_iv_ann,
    ask_iv_ann,
    mark_iv_ann,
    expiry_ts,
    captured_ts

from {{ source('lake', 'implied_vols') }}
