{#-
    What could be had by trading one thing for itself: every cost a column.
    Formulas, signs and caveats: docs/metrics/arbitrage.md#arbitrage
-#}

{%- set sizes = var("trade_sizes_usd") %}

{%- set measured = ["quote_rate", "buy_px", "sell_px", "gross_top_bps", "net_top_bps"] %}
{%- for name in sizes %}
{%- set _ = measured.extend(["gross_" ~ name ~ "_usd", "fees_" ~ name ~ "_usd"]) %}
{%- endfor %}
{%- set _ = measured.extend(["best_size_usd", "best_gross_usd", "best_fees_usd", "skew_ms", "is_executable"]) %}
{%- set _ = measured.extend(["is_depth_exhausted", "definition_version", "captured_ts", "utc_hour", "underlying"]) %}

with

cross_venue as (

    select
        'cross_venue' as arbitrage_kind,
        buy_venue,
        kind as buy_kind,
        buy_symbol,
        sell_venue,
        kind as sell_kind,
        sell_symbol,
        cast(null as varchar) as via_symbol,
        best_size_base,
        gas_usd,
        transfer_usd,
        0.0 as swap_gas_usd,
        0.0 as swap_failure_usd,
        true as is_inventory_needed,
        is_transfer_needed,
        {{ measured | join(",\n        ") }}

    from {{ ref('int_cross_venue_walked') }}

    where {{ in_window('utc_hour') }}

),

-- What begins and ends in one currency at one venue moves nothing and holds nothing.
triangular as (

    select
        'triangular' as arbitrage_kind,
        venue as buy_venue,
        'spot' as buy_kind,
        buy_symbol,
        venue as sell_venue,
        'spot' as sell_kind,
        sell_symbol,
        via_symbol,
        cast(null as double) as best_size_base,
        0.0 as gas_usd,
        0.0 as transfer_usd,
        0.0 as swap_gas_usd,
        0.0 as swap_failure_usd,
        false as is_inventory_needed,
        false as is_transfer_needed,
        {{ measured | join(",\n        ") | replace("quote_rate", "1.0 as quote_rate") }}

    from {{ ref('int_triangles_walked') }}

    where {{ in_window('utc_hour') }}

),

synthetic as (

    select
        'synthetic' as arbitrage_kind,
        venue as buy_venue,
        buy_kind,
        buy_symbol,
        venue as sell_venue,
        sell_kind,
        sell_symbol,
        via_symbol,
        best_size_base,
        0.0 as gas_usd,
        0.0 as transfer_usd,
        0.0 as swap_gas_usd,
        0.0 as swap_failure_usd,
        true as is_inventory_needed,
        false as is_transfer_needed,
        {{ measured | join(",\n        ") }}

    from {{ ref('int_synthetics_crossed') }}

    where {{ in_window('utc_hour') }}

),

-- A pool trades at once and for good: coins and money pile up as between two venues, the swap's gas besides.
on_chain as (

    select
        'on_chain' as arbitrage_kind,
        buy_venue,
        'spot' as buy_kind,
        buy_symbol,
        sell_venue,
        'spot' as sell_kind,
        sell_symbol,
        cast(null as varchar) as via_symbol,
        best_size_base,
        gas_usd,
        transfer_usd,
        swap_gas_usd,
        swap_failure_usd,
        true as is_inventory_needed,
        true as is_transfer_needed,
        {{ measured | join(",\n        ") }}

    from {{ ref('int_pools_walked') }}

    where {{ in_window('utc_hour') }}

),

combined as (

    select * from cross_venue
    union all
    select * from triangular
    union all
    select * from synthetic
    union all
    select * from on_chain

),

final as (

    select
        arbitrage_kind,
        concat(
            buy_venue, ' ', buy_kind, ' ', buy_symbol,
            case when via_symbol is null then '' else concat(' > ', via_symbol) end,
            ' > ', sell_venue, ' ', sell_kind, ' ', sell_symbol
        ) as legs_id,
        utc_hour,
        underlying,
        buy_venue,
        buy_kind,
        buy_symbol,
        sell_venue,
        sell_kind,
        sell_symbol,
        via_symbol,
        buy_px,
        sell_px,
        quote_rate,
        gross_top_bps,
        net_top_bps,
        {% for name in sizes -%}
        gross_{{ name }}_usd,
        fees_{{ name }}_usd,
        gross_{{ name }}_usd - fees_{{ name }}_usd - swap_gas_usd - swap_failure_usd as net_{{ name }}_usd,
        gross_{{ name }}_usd - fees_{{ name }}_usd - swap_gas_usd - swap_failure_usd - transfer_usd
            as net_after_transfer_{{ name }}_usd,
        {% endfor -%}
        best_size_base,
        best_size_usd,
        best_gross_usd,
        best_fees_usd,
        best_gross_usd - best_fees_usd - case when best_size_usd > 0 then swap_gas_usd + swap_failure_usd else 0.0 end
            as best_net_usd,
        best_gross_usd - best_fees_usd - case when best_size_usd > 0 then swap_gas_usd + swap_failure_usd else 0.0 end
        - transfer_usd as best_net_after_transfer_usd,
        swap_gas_usd,
        swap_failure_usd,
        gas_usd,
        transfer_usd,
        skew_ms,
        is_executable,
        is_inventory_needed,
        is_transfer_needed,
        is_depth_exhausted,
        definition_version,
        captured_ts

    from combined

)

select * from final
