{{ config(materialized="view") }}

{#-
    Each ordered pair of books of one underlying at two venues, spot with spot and perpetual with perpetual: what buying over
    the asks of one and selling into the bids of the other brings. Money is in the currency of the buying side, dollars at par.
-#}

{%- set sizes = var("trade_sizes_usd") %}

with

ladders as (

    select * from {{ ref('int_book_ladders') }} where {{ is_at_par('quote_asset') }}

),

instruments as (

    select distinct
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset

    from ladders

),

pairs as (

    select
        buys.underlying,
        buys.kind,
        buys.utc_hour,
        buys.venue as buy_venue,
        buys.symbol as buy_symbol,
        buys.quote_asset as buy_quote_asset,
        sells.venue as sell_venue,
        sells.symbol as sell_symbol,
        sells.quote_asset as sell_quote_asset

    from instruments as buys

    inner join instruments as sells
        on {{ matches('buys', 'sells', ['underlying', 'kind', 'utc_hour']) }}
        and buys.venue <> sells.venue

),

-- Whenever either book was captured, beside the newest of the other.
instants as (

    select
        pairs.*,
        ladders.captured_ts

    from pairs

    inner join ladders
        on pairs.buy_venue = ladders.venue
        and pairs.buy_symbol = ladders.symbol
        and {{ matches('pairs', 'ladders', ['kind', 'utc_hour']) }}

    union

    select
        pairs.*,
        ladders.captured_ts

    from pairs

    inner join ladders
        on pairs.sell_venue = ladders.venue
        and pairs.sell_symbol = ladders.symbol
        and {{ matches('pairs', 'ladders', ['kind', 'utc_hour']) }}

),

buying as (

    select
        venue as buy_venue,
        kind,
        symbol as buy_symbol,
        utc_hour,
        captured_ts as buy_ts

    from ladders

),

selling as (

    select
        venue as sell_venue,
        kind,
        symbol as sell_symbol,
        utc_hour,
        captured_ts as sell_ts

    from ladders

),

bought as (

    select
        instants.*,
        buying.buy_ts

    from instants

    {{ last_known_join('instants', 'buying', ['buy_venue', 'kind', 'buy_symbol', 'utc_hour'], 'captured_ts', 'buy_ts') }}

),

matched as (

    select
        bought.*,
        selling.sell_ts,
        abs({{ epoch_s('bought.buy_ts') }} - {{ epoch_s('selling.sell_ts') }}) as skew_s

    from bought

    {{ last_known_join('bought', 'selling', ['sell_venue', 'kind', 'sell_symbol', 'utc_hour'], 'captured_ts', 'sell_ts') }}

),

synchronised as (

    select * from matched where skew_s <= {{ var("max_arbitrage_skew_s") }}

),

{{ converted_rows('synchronised') }},

{{ transfer_costs() }},

-- A crossed, locked or one-sided book cannot be traded on: its row stays, and measures nothing.
priced as (

    select
        with_money.*,
        buys.best_ask_px as buy_px,
        with_money.quote_rate * sells.best_bid_px as sell_px,
        buys.ask_px,
        buys.ask_base_sums,
        buys.ask_quote_sums,
        sells.bid_px,
        sells.bid_base_sums,
        sells.bid_quote_sums,
        buy_fees.taker_fee_frac as buy_fee_frac,
        sell_fees.taker_fee_frac as sell_fee_frac,
        buy_fees.definition_version,
        buys.is_two_sided and sells.is_two_sided as is_measurable,
        {{ is_fresh('buys') }} and {{ is_fresh('sells') }} as is_fresh

    from with_money

    inner join ladders as buys
        on with_money.buy_venue = buys.venue
        and with_money.kind = buys.kind
        and with_money.buy_symbol = buys.symbol
        and with_money.buy_ts = buys.captured_ts

    inner join ladders as sells
        on with_money.sell_venue = sells.venue
        and with_money.kind = sells.kind
        and with_money.sell_symbol = sells.symbol
        and with_money.sell_ts = sells.captured_ts

    left join {{ ref('fees') }} as buy_fees
        on with_money.buy_venue = buy_fees.venue
        and with_money.kind = buy_fees.kind
        and {{ in_force('buy_fees', 'with_money.captured_ts') }}

    left join {{ ref('fees') }} as sell_fees
        on with_money.sell_venue = sell_fees.venue
        and with_money.kind = sell_fees.kind
        and {{ in_force('sell_fees', 'with_money.captured_ts') }}

),

sized as (

    select
        *,
        {% for name, usd in sizes.items() -%}
        case when is_measurable then {{ walked(usd, 'ask_quote_sums', 'ask_base_sums') }} end as bought_{{ name }}_base,
        {% endfor -%}
        case
            when is_measurable and buy_fee_frac is not null and sell_fee_frac is not null
                then {{ crossing_size(
                    'ask_px', 'ask_base_sums', '(1 + buy_fee_frac)',
                    'bid_px', 'bid_base_sums', '(quote_rate * (1 - sell_fee_frac))'
                ) }}
        end as best_size_base

    from priced

),

sold as (

    select
        *,
        {% for name in sizes -%}
        quote_rate * {{ walked('bought_' ~ name ~ '_base', 'bid_base_sums', 'bid_quote_sums') }} as sold_{{ name }}_usd,
        {% endfor -%}
        {{ walked('best_size_base', 'ask_base_sums', 'ask_quote_sums') }} as best_size_usd,
        quote_rate * {{ walked('best_size_base', 'bid_base_sums', 'bid_quote_sums') }} as best_sold_usd

    from sized

),

final as (

    select
        underlying,
        kind,
        utc_hour,
        buy_venue,
        buy_symbol,
        sell_venue,
        sell_symbol,
        case when is_measurable then buy_px end as buy_px,
        case when is_measurable then sell_px end as sell_px,
        quote_rate,
        case when is_measurable then {{ bps('sell_px - buy_px', 'buy_px') }} end as gross_top_bps,
        case
            when is_measurable
                then {{ bps('sell_px * (1 - sell_fee_frac) - buy_px * (1 + buy_fee_frac)', 'buy_px') }}
        end as net_top_bps,
        {% for name, usd in sizes.items() -%}
        sold_{{ name }}_usd - {{ usd }} as gross_{{ name }}_usd,
        {{ usd }} * buy_fee_frac + sold_{{ name }}_usd * sell_fee_frac as fees_{{ name }}_usd,
        {% endfor -%}
        best_size_base,
        best_size_usd,
        best_sold_usd - best_size_usd as best_gross_usd,
        best_size_usd * buy_fee_frac + best_sold_usd * sell_fee_frac as best_fees_usd,
        -- Perpetuals offset one another where they are; coins pile up at one venue and money at the other.
        case when kind = 'perp' then 0.0 else coin_gas_usd + money_gas_usd end as gas_usd,
        case when kind = 'perp' then 0.0 else coin_transfer_usd + money_transfer_usd end as transfer_usd,
        1000.0 * skew_s as skew_ms,
        is_measurable and is_fresh and skew_s <= {{ var("max_executable_skew_s") }} as is_executable,
        kind = 'spot' as is_transfer_needed,
        best_size_base > 0
        and (best_size_base >= {{ last_of('ask_base_sums') }} or best_size_base >= {{ last_of('bid_base_sums') }})
            as is_depth_exhausted,
        definition_version,
        captured_ts

    from sold

)

select * from final
