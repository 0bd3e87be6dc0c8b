{#-
    A venue's carry at fixed maturities, minute by minute: total carry linear in time between the bracketing expiries.
    Formulas, signs and caveats: docs/metrics/carry.md#basis-term-structure
-#}

{%- set maturities = [7, 30, 60, 90, 180] %}
{%- set curve = [
    'venue', 'underlying', 'quote_asset', 'settle_asset', 'reference_venue', 'reference_kind', 'reference_symbol',
    'utc_hour', 'minute_ts',
] %}

with

carries as (

    select * from {{ ref('int_future_carries_measured') }} where {{ in_window('utc_hour') }}

),

brackets as (

    select
        {{ curve | join(', ') }},
        {% for days in maturities -%}
        max(case when days_to_expiry <= {{ days }} then days_to_expiry end) as near_{{ days }}_days,
        {{ value_at_max('case when days_to_expiry <= ' ~ days ~ ' then total_carry end', 'case when days_to_expiry <= ' ~ days ~ ' then days_to_expiry end') }}
            as near_{{ days }}_carry,
        min(case when days_to_expiry >= {{ days }} then days_to_expiry end) as far_{{ days }}_days,
        {{ value_at_min('case when days_to_expiry >= ' ~ days ~ ' then total_carry end', 'case when days_to_expiry >= ' ~ days ~ ' then days_to_expiry end') }}
            as far_{{ days }}_carry,
        {% endfor -%}
        {{ value_at_min('total_carry', 'days_to_expiry') }} as first_carry,
        {{ value_at_max('total_carry', 'days_to_expiry') }} as last_carry,
        min(days_to_expiry) as first_days,
        max(days_to_expiry) as last_days,
        count(*) as expiries_count,
        min(captured_ts) as first_captured_ts,
        max(captured_ts) as captured_ts

    from carries

    group by {{ curve | join(', ') }}

),

final as (

    select
        {{ curve | join(', ') }},
        {% for days in maturities -%}
        {{ per_year(
            carry_between('near_' ~ days, 'far_' ~ days, days), days
        ) }} as carry_{{ days }}d_ann,
        {% endfor -%}
        {{ per_year('first_carry', 'first_days') }} as first_carry_ann,
        {{ per_year('last_carry', 'last_days') }} as last_carry_ann,
        first_days,
        last_days,
        expiries_count,
        -- Of prices, not of rates: the far contract is dearer than the near one.
        case when expiries_count > 1 then last_carry > first_carry end as is_contango,
        first_captured_ts,
        captured_ts

    from brackets

)

select * from final
