{#- The terms in force in each hour: the hour's own list, else the venue's documented grammar. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    base_asset as underlying,
    quote_asset,
    settle_asset,
    option_type,
    amount_unit,
    terms_source,
    contract_size,
    tick_size_px,
    lot_size_qty,
    strike_px,
    funding_interval_s,
    is_inverse,
    expiry_ts

from {{ source('lake', 'instruments') }}
