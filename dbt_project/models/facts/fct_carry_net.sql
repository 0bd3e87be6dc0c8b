{#-
    What buying spot and selling a derivative earns after every cost, at three sizes: to expiry for a dated future, over the
    horizon of `carry_terms` for a perpetual. All in shares of the spot that was bought.
    Formulas, signs and caveats: docs/metrics/carry.md#carry-net
-#}

with

legs as (

    select
        *,
        derivative_bid_px / (spot_ask_px * quote_rate) as price_ratio

    from {{ ref('int_carry_legs_walked') }}

    where {{ in_window('utc_hour') }}

),

running as (

    select * from {{ ref('int_funding_rates_observed') }} where {{ in_window('utc_hour') }}

),

scenarios as (

    select * from {{ ref('int_funding_scenarios_measured') }} where {{ in_window('utc_hour') }}

),

priced as (

    select
        legs.*,
        running.funding_rate,
        running.rate_per_hour,
        scenarios.settled_frac,
        scenarios.payments_count,
        scenarios.low_rate_per_hour,
        scenarios.middle_rate_per_hour,
        scenarios.high_rate_per_hour,
        carry_terms.margin_frac,
        case when legs.kind = 'future' then legs.days_to_expiry else carry_terms.horizon_days end as held_days,
        own.delivery_fee_frac is not null and legs.kind = 'future' as has_delivery_fee,
        spot.taker_fee_frac + own.taker_fee_frac * legs.price_ratio as entry_fee,
        case
            -- Where no page states what delivery costs, the future is taken to be bought back.
            when legs.kind = 'future' then coalesce(own.delivery_fee_frac, own.taker_fee_frac) * legs.price_ratio
            else spot.taker_fee_frac + own.taker_fee_frac * legs.price_ratio
        end as exit_fee,
        case
            when legs.kind = 'perp'
                then
                    (legs.spot_ask_px - legs.spot_bid_px) / legs.spot_ask_px
                    + (legs.derivative_ask_px - legs.derivative_bid_px) / (legs.spot_ask_px * legs.quote_rate)
        end as slippage,
        carry_terms.borrow_ann,
        1 + carry_terms.margin_frac * legs.price_ratio as capital,
        cast(carry_terms.definition_version as string)
        || '.' || cast(spot.definition_version as string)
        || '.' || cast(own.definition_version as string) as definition_version

    from legs

    {{ in_force_join('fees', 'spot', 'legs.captured_ts', "legs.reference_venue = spot.venue and spot.kind = 'spot'") }}

    {{ in_force_join('fees', 'own', 'legs.captured_ts', 'legs.venue = own.venue and legs.kind = own.kind') }}

    {{ in_force_join('carry_terms', 'carry_terms', 'legs.captured_ts') }}

    left join running on {{ matches('legs', 'running', ['venue', 'kind', 'symbol', 'utc_hour']) }}

    left join scenarios on {{ matches('legs', 'scenarios', ['venue', 'kind', 'symbol', 'utc_hour']) }}

),

costed as (

    select
        *,
        borrow_ann * held_days / {{ days_per_year() }} as borrow,
        case when kind = 'perp' then entry_fee + exit_fee + slippage end as round_trip,
        case when kind = 'future' then price_ratio - 1 - entry_fee - exit_fee - borrow_ann * held_days / {{ days_per_year() }} end
            as net

    from priced

),

final as (

    select
        venue,
        kind,
        symbol,
        reference_venue,
        reference_symbol,
        utc_hour,
        underlying,
        size_usd,
        spot_ask_px,
        quote_rate,
        derivative_bid_px,
        spot_ask_px is not null and derivative_bid_px is not null
        and (kind = 'future' or (spot_bid_px is not null and derivative_ask_px is not null)) as is_depth_sufficient,
        days_to_expiry,
        {{ bps('price_ratio - 1', '1') }} as gross_bps,
        {{ per_year('price_ratio - 1', 'days_to_expiry') }} as gross_ann,
        {{ bps('entry_fee', '1') }} as entry_fee_bps,
        {{ bps('exit_fee', '1') }} as exit_fee_bps,
        has_delivery_fee,
        {{ bps('slippage', '1') }} as slippage_bps,
        {{ bps('borrow', '1') }} as borrow_bps,
        {{ bps('net', '1') }} as net_bps,
        {{ per_year('net', 'days_to_expiry') }} as net_ann,
        {{ per_year('net / capital', 'days_to_expiry') }} as net_on_capital_ann,
        rate_per_hour as funding_rate_per_hour,
        payments_count,
        low_rate_per_hour as funding_p10_rate_per_hour,
        middle_rate_per_hour as funding_p50_rate_per_hour,
        high_rate_per_hour as funding_p90_rate_per_hour,
        {{ bps('round_trip', '1') }} as round_trip_cost_bps,
        {{ bps('(settled_frac + funding_rate) * price_ratio - round_trip - borrow', '1') }} as net_settled_bps,
        {% for scenario, rate in [('running', 'rate_per_hour'), ('p10', 'low_rate_per_hour'), ('p50', 'middle_rate_per_hour'), ('p90', 'high_rate_per_hour')] -%}
        {{ per_year(
            '(' ~ rate ~ ' * 24 * held_days * price_ratio - round_trip - borrow) / capital', 'held_days'
        ) }} as net_{{ scenario }}_on_capital_ann,
        {% endfor -%}
        case when rate_per_hour > 0 then round_trip / (rate_per_hour * 24 * price_ratio) end as breakeven_days,
        margin_frac,
        definition_version,
        reference_captured_ts,
        captured_ts

    from costed

)

select * from final
