{#- What a unit of gas costs on each chain, in gwei of the coin that it is paid in; `venue` is the chain. -#}

select
    venue,
    symbol as asset,
    utc_hour,
    chain_id,
    block_number,
    {{ gwei('base_fee_wei') }} as base_fee_gwei,
    {{ gwei('next_base_fee_wei') }} as next_base_fee_gwei,
    {{ gwei('gas_price_wei') }} as gas_price_gwei,
    {{ gwei('priority_fee_p10_wei') }} as priority_fee_p10_gwei,
    {{ gwei('priority_fee_p50_wei') }} as priority_fee_p50_gwei,
    {{ gwei('priority_fee_p90_wei') }} as priority_fee_p90_gwei,
    gas_used_frac,
    {{ gwei('l1_base_fee_wei') }} as l1_base_fee_gwei,
    {{ gwei('l1_blob_base_fee_wei') }} as l1_blob_base_fee_gwei,
    l1_base_fee_scalar,
    l1_blob_base_fee_scalar,
    {{ gwei('l1_data_fee_wei') }} as l1_data_fee_gwei,
    l1_tx_bytes,
    event_ts,
    captured_ts

from {{ source('lake', 'gas_prices') }}
