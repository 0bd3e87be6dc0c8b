{#- Venues' own indices, in the currency that each is quoted in. -#}

select
    venue,
    symbol,
    utc_hour,
    base_asset as underlying,
    quote_asset,
    index_px,
    event_ts,
    captured_ts

from {{ source('lake', 'index_prices') }}
