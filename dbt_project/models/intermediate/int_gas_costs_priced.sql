{#- What a unit of gas cost on each chain when it was asked, and the coin that it is paid in, in dollars. -#}

{%- set price_age_s = epoch_s('asked.captured_ts') ~ " - " ~ epoch_s('coin_prices.priced_ts') %}

with

blocks as (

    select * from {{ ref('stg_gas_prices') }} where {{ in_window('utc_hour') }}

),

-- A reply tells several blocks; of each figure the newest that says it. The suggestion stands beside one of them.
asked as (

    select
        venue,
        asset,
        utc_hour,
        captured_ts,
        max(chain_id) as chain_id,
        max(block_number) as block_index,
        {{ value_at_max('base_fee_gwei', 'case when base_fee_gwei is not null then block_number end') }} as base_fee_gwei,
        {{ value_at_max('next_base_fee_gwei', 'case when next_base_fee_gwei is not null then block_number end') }}
            as next_base_fee_gwei,
        {{ value_at_max('gas_used_frac', 'case when base_fee_gwei is not null then block_number end') }} as gas_used_frac,
        {{ value_at_max('priority_fee_p50_gwei', 'case when priority_fee_p50_gwei is not null then block_number end') }}
            as priority_fee_p50_gwei,
        max(gas_price_gwei) as suggested_gwei,
        max(l1_data_fee_gwei) as stated_l1_data_fee_gwei,
        max(event_ts) as event_ts

    from blocks

    group by venue, asset, utc_hour, captured_ts

),

coin_prices as (

    select
        asset,
        utc_hour,
        usd_px,
        captured_ts as priced_ts

    from {{ ref('stg_coin_prices') }}

    where {{ in_window('utc_hour') }}

),

priced as (

    select
        asked.*,
        case when {{ price_age_s }} <= {{ var("max_coin_price_age_s") }} then coin_prices.usd_px end as coin_usd_px

    from asked

    {{ last_known_join('asked', 'coin_prices', ['asset', 'utc_hour'], 'captured_ts', 'priced_ts') }}

),

final as (

    select
        priced.venue,
        priced.asset,
        priced.chain_id,
        priced.utc_hour,
        priced.block_index,
        priced.base_fee_gwei,
        priced.next_base_fee_gwei,
        {{ next_base_fee_gwei(
            'priced.base_fee_gwei', 'priced.gas_used_frac', 'chains.base_fee_elasticity', 'chains.base_fee_denominator'
        ) }} as next_base_fee_computed_gwei,
        priced.priority_fee_p50_gwei,
        -- Chains that burn no base fee, and nodes that tell no tips, suggest a price of the whole.
        coalesce(priced.base_fee_gwei + priced.priority_fee_p50_gwei, priced.suggested_gwei) as gas_px_gwei,
        -- Nothing is paid to another layer where there is none; what an upper layer does not tell is not known.
        case when chains.has_l1_data_fee then priced.stated_l1_data_fee_gwei else 0.0 end as l1_data_fee_gwei,
        priced.coin_usd_px,
        chains.swap_failure_frac,
        chains.definition_version,
        priced.event_ts,
        priced.captured_ts

    from priced

    inner join {{ ref('chains') }} as chains
        on priced.venue = chains.venue
        and {{ in_force('chains', 'priced.captured_ts') }}

)

select * from final
