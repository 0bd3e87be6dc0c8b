{{ config(materialized="view") }}

{#- What moving an asset from one venue to another costs on the chain that the seed names, whenever that chain was asked. -#}

with

costs as (

    select
        transfers.asset,
        gas.utc_hour,
        gas.captured_ts as priced_ts,
        transfers.failure_frac,
        {{ gas_usd('transfers.gas_count', 'gas.gas_px_gwei', 'gas.l1_data_fee_gwei', 'gas.coin_usd_px') }} as gas_usd

    from {{ ref('int_gas_costs_priced') }} as gas

    inner join {{ ref('transfers') }} as transfers
        on gas.venue = transfers.chain
        and {{ in_force('transfers', 'gas.captured_ts') }}

    where {{ in_window('gas.utc_hour') }}

),

-- One that fails is paid and made again.
final as (

    select
        asset,
        utc_hour,
        priced_ts,
        gas_usd,
        gas_usd * (1 + failure_frac) as transfer_usd

    from costs

)

select * from final
