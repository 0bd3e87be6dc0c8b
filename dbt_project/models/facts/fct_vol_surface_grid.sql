{#-
    The surface at fixed tenors and moneyness: total variance linear in time between the accepted slices around a tenor.
    Formulas and caveats: docs/metrics/implied-volatility.md#volatility-surface-grid
-#}

{%- set look = "venue, underlying, settle_asset, utc_hour, captured_ts" %}

with

slices as (

    select
        *,
        years_to_expiry * {{ days_per_year() }} as days_to_expiry

    from {{ ref('int_vol_slices_judged') }}

    where is_accepted and {{ in_window('utc_hour') }}

),

tenors as (

    {% for days in surface_tenors() -%}
    select {{ days }} as tenor_days {{ "union all" if not loop.last }}
    {% endfor %}

),

points as (

    {% for hundredths in range(-50, 51, 10) -%}
    select {{ hundredths }} / 100.0e0 as log_moneyness {{ "union all" if not loop.last }}
    {% endfor %}

),

-- Each slice with the next in time: a tenor lies between one such pair, or between none. What two pairs share is the later's.
pairs as (

    select
        venue,
        underlying,
        settle_asset,
        utc_hour,
        captured_ts,
        {%- for column in [
            "days_to_expiry", "forward_px", "lowest_log_moneyness", "highest_log_moneyness",
            "svi_a", "svi_b", "svi_rho", "svi_m", "svi_sigma"
        ] %}
        {{ column }} as near_{{ column }},
        lead({{ column }}) over (partition by {{ look }} order by expiry_ts) as far_{{ column }},
        {%- endfor %}
        lead(expiry_ts, 2) over (partition by {{ look }} order by expiry_ts) is null as is_last

    from slices

),

variances as (

    select
        pairs.venue,
        pairs.underlying,
        pairs.settle_asset,
        tenors.tenor_days,
        points.log_moneyness,
        pairs.utc_hour,
        pairs.captured_ts,
        pairs.near_forward_px,
        pairs.far_forward_px,
        (tenors.tenor_days - pairs.near_days_to_expiry)
        / (pairs.far_days_to_expiry - pairs.near_days_to_expiry) as far_share,
        {%- for end in ["near", "far"] %}
        {{ svi_total_variance("pairs." ~ end ~ "_svi", "points.log_moneyness") }} as {{ end }}_variance,
        {%- endfor %}
        points.log_moneyness >= greatest(pairs.near_lowest_log_moneyness, pairs.far_lowest_log_moneyness)
        and points.log_moneyness <= least(pairs.near_highest_log_moneyness, pairs.far_highest_log_moneyness) as is_quoted

    from pairs

    inner join tenors
        on pairs.near_days_to_expiry <= tenors.tenor_days
        and (
            pairs.far_days_to_expiry > tenors.tenor_days
            or (pairs.is_last and pairs.far_days_to_expiry = tenors.tenor_days)
        )

    cross join points

),

final as (

    select
        venue,
        underlying,
        settle_asset,
        tenor_days,
        log_moneyness,
        utc_hour,
        captured_ts,
        near_forward_px * power(far_forward_px / near_forward_px, far_share) as forward_px,
        sqrt(
            (near_variance + (far_variance - near_variance) * far_share) * {{ days_per_year() }} / tenor_days
        ) as implied_vol_ann,
        is_quoted

    from variances

)

select * from final
