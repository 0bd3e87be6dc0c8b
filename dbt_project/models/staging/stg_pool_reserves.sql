{#-
    What pools held, in coins and in money; `venue` is the chain, `symbol` the pool's address.
    The whole numbers stand beside: a double has 53 bits, a reserve up to 112.
-#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    chain_id,
    block_number,
    base_asset as underlying,
    quote_asset,
    base_reserve_units,
    quote_reserve_units,
    cast(base_reserve_units as double) / {{ ten_to('base_decimals') }} as base_reserve_base,
    cast(quote_reserve_units as double) / {{ ten_to('quote_decimals') }} as quote_reserve_quote,
    base_decimals,
    quote_decimals,
    changed_ts,
    event_ts,
    captured_ts

from {{ source('lake', 'pool_reserves') }}
