{#- Venues' volatility indices, decimals a year: one value, or a bar labelled by its start. -#}

select
    venue,
    symbol,
    utc_hour,
    base_asset as underlying,
    interval_s,
    open_iv_ann,
    high_iv_ann,
    low_iv_ann,
    close_iv_ann,
    event_ts,
    captured_ts

from {{ source('lake', 'volatility_indices') }}
