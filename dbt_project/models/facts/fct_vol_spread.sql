{{ config(meta={"partition": "matured"}) }}

{#-
    What options charge for volatility against what the market then did, at matched tenors.
    Trailing and forward are two columns and never one. Formulas and caveats: docs/metrics.md#volatility-spread
-#}

with

implied as (

    select * from {{ ref('int_constant_maturity_vols_interpolated') }} where {{ in_matured_window('utc_hour') }}

),

realized as (

    select * from {{ ref('int_realized_vols_measured') }} where {{ in_matured_window('utc_hour') }}

),

final as (

    select
        implied.underlying,
        implied.venue,
        implied.settle_asset,
        implied.tenor_days,
        implied.utc_hour,
        implied.captured_ts,
        implied.implied_vol_ann,
        realized.realized_vol_trailing_ann,
        realized.realized_vol_forward_ann,
        implied.implied_vol_ann - realized.realized_vol_trailing_ann as vol_spread_trailing_ann,
        implied.implied_vol_ann - realized.realized_vol_forward_ann as vol_spread_forward_ann,
        realized.realized_vol_forward_ann is not null as is_complete

    from implied

    left join realized
        on implied.underlying = realized.underlying
        and implied.utc_hour = realized.utc_hour
        and implied.tenor_days = realized.tenor_days

)

select * from final
