{#-
    What a sudden move would take over, if open interest were held in positions of standard leverage: a model, not a measurement.
    Formulas, signs and caveats: docs/metrics/risk.md#margin-stress
-#}

{%- set leverages = [5, 10, 20, 50] %}
{%- set position_sizes_usd = [10e3, 100e3, 1000e3] %}
{%- set shocks = [-0.2, -0.1, -0.05, 0.05, 0.1, 0.2] %}
{%- set instrument_hour = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

interest as (

    select * from {{ ref('int_open_interest_valued') }}

    where derivative_px > 0 and is_in_dollars and {{ in_window('utc_hour') }}

),

contracts as (

    select
        interest.venue,
        interest.kind,
        interest.symbol,
        interest.utc_hour,
        interest.underlying,
        interest.captured_ts,
        interest.derivative_px,
        interest.open_interest_usd,
        terms.is_inverse

    from interest

    {{ terms_join('interest', 'captured_ts') }}

    where not terms.is_quanto

),

standard_positions as (

    {% for leverage in leverages -%}
    {%- set last_leverage = loop.last -%}
    {% for size in position_sizes_usd -%}
    select
        {{ leverage }} as leverage,
        {{ size }} as position_usd
    {{ "union all" if not (last_leverage and loop.last) }}
    {% endfor %}
    {%- endfor %}

),

-- Opened at the hour's price; what the venue would not let anyone open is no position.
positions as (

    select
        contracts.*,
        tiers.definition_version_index,
        standard_positions.leverage,
        1.0 / standard_positions.leverage - (
            tiers.maintenance_margin_frac
            + tiers.margin_slope_frac_per_base * standard_positions.position_usd / contracts.derivative_px
            - tiers.maintenance_deduction / case
                when tiers.size_unit = 'usd' then standard_positions.position_usd
                else standard_positions.position_usd / contracts.derivative_px
            end
        ) as margin_gap_frac

    from contracts

    cross join standard_positions

    inner join {{ ref('int_margin_tiers_known') }} as tiers
        on {{ matches('contracts', 'tiers', instrument_hour) }}
        and case
            when tiers.size_unit = 'usd' then standard_positions.position_usd
            else standard_positions.position_usd / contracts.derivative_px
        end > tiers.size_floor
        and (
            tiers.size_cap is null
            or case
                when tiers.size_unit = 'usd' then standard_positions.position_usd
                else standard_positions.position_usd / contracts.derivative_px
            end <= tiers.size_cap
        )

    where
        1.0 / standard_positions.leverage
        >= tiers.initial_margin_frac
        + tiers.margin_slope_frac_per_base * standard_positions.position_usd / contracts.derivative_px

),

edges as (

    select
        *,
        {{ liquidation_px('long', 'derivative_px', 'margin_gap_frac', 'is_inverse') }} as long_liquidation_px,
        {{ liquidation_px('short', 'derivative_px', 'margin_gap_frac', 'is_inverse') }} as short_liquidation_px

    from positions

),

shocks as (

    {% for shock in shocks -%}
    select cast({{ shock }} as double) as shock_frac {{ "union all" if not loop.last }}
    {% endfor %}

),

rungs as (

    select
        edges.venue,
        edges.kind,
        edges.symbol,
        edges.utc_hour,
        edges.underlying,
        edges.captured_ts,
        edges.derivative_px,
        edges.open_interest_usd,
        shocks.shock_frac,
        edges.derivative_px * (1 + shocks.shock_frac) as shocked_px,
        count(*) as positions_count,
        max(edges.definition_version_index) as definition_version_index,
        max(edges.long_liquidation_px) as nearest_long_liquidation_px,
        min(edges.short_liquidation_px) as nearest_short_liquidation_px,
        {%- for side, hit in [('long', '<='), ('short', '>=')] %}
        1.0 * count(case
            when edges.derivative_px * (1 + shocks.shock_frac) {{ hit }} edges.{{ side }}_liquidation_px then 1
        end) / count(*) as {{ side }}_liquidated_share_frac{{ "," if not loop.last }}
        {%- endfor %}

    from edges

    cross join shocks

    group by
        edges.venue, edges.kind, edges.symbol, edges.utc_hour, edges.underlying, edges.captured_ts,
        edges.derivative_px, edges.open_interest_usd, shocks.shock_frac

),

-- Every contract has a long and a short: a fall takes over longs, a rise shorts.
modelled as (

    select
        *,
        open_interest_usd * greatest(long_liquidated_share_frac, short_liquidated_share_frac)
            as modelled_liquidations_usd

    from rungs

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        shock_frac,
        shocked_px,
        derivative_px,
        open_interest_usd,
        positions_count,
        long_liquidated_share_frac,
        short_liquidated_share_frac,
        nearest_long_liquidation_px,
        nearest_short_liquidation_px,
        modelled_liquidations_usd,
        -- What lies between this rung and the one before it on the same side.
        modelled_liquidations_usd - coalesce(
            lag(modelled_liquidations_usd) over (
                partition by {{ instrument_hour | join(', ') }}, sign(shock_frac) order by abs(shock_frac)
            ), 0.0
        ) as modelled_cluster_usd,
        true as is_modelled,
        definition_version_index,
        captured_ts

    from modelled

)

select * from final
