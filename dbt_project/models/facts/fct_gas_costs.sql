{#-
    What a transaction costs on each chain, whenever it was asked.
    Formulas, signs and caveats: docs/metrics/arbitrage.md#gas
-#}

{%- set swap_usd = gas_usd(var("swap_gas_count"), "gas_px_gwei", "l1_data_fee_gwei", "coin_usd_px") %}

select
    venue,
    asset,
    chain_id,
    utc_hour,
    block_index,
    base_fee_gwei,
    next_base_fee_gwei,
    next_base_fee_computed_gwei,
    priority_fee_p50_gwei,
    gas_px_gwei,
    l1_data_fee_gwei,
    coin_usd_px,
    {{ gas_usd(var("transfer_gas_count"), "gas_px_gwei", "l1_data_fee_gwei", "coin_usd_px") }} as transfer_gas_usd,
    {{ swap_usd }} as swap_gas_usd,
    swap_failure_frac * {{ swap_usd }} as swap_failure_usd,
    definition_version,
    event_ts,
    captured_ts

from {{ ref('int_gas_costs_priced') }}

where {{ in_window('utc_hour') }}
