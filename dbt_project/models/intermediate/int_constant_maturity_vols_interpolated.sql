{#- Implied volatility at fixed tenors: total variance linear in time between the bracketing expiries; null where not bracketed. -#}

{%- set look = ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts'] %}

with

atm as (

    select
        *,
        years_to_expiry * {{ days_per_year() }} as days_to_expiry,
        atm_iv_ann * atm_iv_ann * years_to_expiry as total_variance

    from {{ ref('int_atm_vols_interpolated') }}

    where {{ in_window('utc_hour') }}

),

tenors as (

    {% for days in tenors() -%}
    select {{ days }} as tenor_days {{ "union all" if not loop.last }}
    {% endfor %}

),

brackets as (

    select
        atm.venue,
        atm.underlying,
        atm.settle_asset,
        atm.utc_hour,
        atm.captured_ts,
        tenors.tenor_days,
        max(case when atm.days_to_expiry <= tenors.tenor_days then atm.days_to_expiry end) as near_days,
        min(case when atm.days_to_expiry >= tenors.tenor_days then atm.days_to_expiry end) as far_days

    from atm

    cross join tenors

    group by all

),

final as (

    select
        brackets.venue,
        brackets.underlying,
        brackets.settle_asset,
        brackets.utc_hour,
        brackets.captured_ts,
        brackets.tenor_days,
        case
            when brackets.near_days = brackets.far_days then near.atm_iv_ann
            else
                sqrt(
                    (
                        near.total_variance + (far.total_variance - near.total_variance)
                        * (brackets.tenor_days - brackets.near_days) / (brackets.far_days - brackets.near_days)
                    ) * {{ days_per_year() }} / brackets.tenor_days
                )
        end as implied_vol_ann

    from brackets

    left join atm as near
        on {{ matches('brackets', 'near', look) }} and brackets.near_days = near.days_to_expiry

    left join atm as far
        on {{ matches('brackets', 'far', look) }} and brackets.far_days = far.days_to_expiry

)

select * from final
