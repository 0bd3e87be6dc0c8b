{#-
    What carries from one expiry of a curve to the next, minute by minute.
    Formulas, signs and caveats: docs/metrics/carry.md#calendar-spreads
-#}

{%- set curve = [
    'venue', 'underlying', 'quote_asset', 'settle_asset', 'reference_venue', 'reference_kind', 'reference_symbol',
    'utc_hour', 'minute_ts',
] %}

with

carries as (

    select * from {{ ref('int_future_carries_measured') }} where {{ in_window('utc_hour') }}

),

neighbours as (

    select
        {{ curve | join(', ') }},
        symbol as near_symbol,
        lead(symbol) over successive as far_symbol,
        expiry_ts as near_expiry_ts,
        lead(expiry_ts) over successive as far_expiry_ts,
        {{ days_between('expiry_ts', 'lead(expiry_ts) over successive') }} as between_days,
        total_carry as near_carry,
        lead(total_carry) over successive as far_carry,
        greatest(captured_ts, lead(captured_ts) over successive) as captured_ts

    from carries

    window successive as (partition by {{ curve | join(', ') }} order by expiry_ts)

),

final as (

    select
        {{ curve | join(', ') }},
        near_symbol,
        far_symbol,
        near_expiry_ts,
        far_expiry_ts,
        between_days,
        {{ bps('exp(far_carry) - exp(near_carry)', 'exp(near_carry)') }} as calendar_spread_bps,
        {{ per_year('far_carry - near_carry', 'between_days') }} as forward_carry_ann,
        far_carry > near_carry as is_contango,
        captured_ts

    from neighbours

    where far_expiry_ts is not null

)

select * from final
