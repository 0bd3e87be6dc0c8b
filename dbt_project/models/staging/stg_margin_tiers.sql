{#-
    Margin tiers as venues tell them, sizes in dollars of what is at par or in base coin. One row per reply, contract and level.
    A quanto contract's value is in neither.
-#}

with

tiers as (

    select * from {{ source('lake', 'margin_tiers') }}

),

counted as (

    select
        tiers.*,
        terms.underlying,
        terms.is_inverse,
        case
            when tiers.size_unit = 'quote' or (tiers.size_unit = 'contracts' and terms.is_inverse) then 'usd'
            else 'base'
        end as counted_in,
        case when tiers.size_unit = 'contracts' then terms.contract_size else 1.0 end as one_unit

    from tiers

    {{ terms_join('tiers', 'captured_ts') }}

    where
        not terms.is_quanto
        and (tiers.size_unit = 'base' or {{ is_at_par('terms.quote_asset') }} or (
            tiers.size_unit = 'contracts' and not terms.is_inverse
        ))

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        is_inverse,
        counted_in as size_unit,
        size_floor_qty * one_unit as size_floor,
        size_cap_qty * one_unit as size_cap,
        initial_margin_frac,
        maintenance_margin_frac,
        coalesce(maintenance_deduction_qty, 0.0) * one_unit as maintenance_deduction,
        event_ts,
        captured_ts

    from counted

)

select * from final
