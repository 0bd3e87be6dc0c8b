{{ config(materialized="view") }}

{#-
    Each pool of a chain against each venue's spot book of its coin, both ways: buying from the pool and selling into the bids,
    and buying over the asks and selling to the pool. Money is in the currency of the buying side, dollars at par.
-#}

{%- set sizes = var("trade_sizes_usd") %}

with

pools as (

    select * from {{ ref('stg_pool_reserves') }} where {{ in_window('utc_hour') }} and {{ is_at_par('quote_asset') }}

),

books as (

    select * from {{ ref('int_book_ladders') }} where kind = 'spot' and {{ is_at_par('quote_asset') }}

),

both_ways as (

    select
        *,
        true as is_pool_bought,
        pool_quote_asset as buy_quote_asset,
        book_quote_asset as sell_quote_asset

    from {{ ref('int_pools_matched') }}

    union all

    select
        *,
        false as is_pool_bought,
        book_quote_asset as buy_quote_asset,
        pool_quote_asset as sell_quote_asset

    from {{ ref('int_pools_matched') }}

),

{{ converted_rows('both_ways') }},

{{ transfer_costs() }},

swaps as (

    select
        venue as pool_venue,
        utc_hour,
        captured_ts as swap_ts,
        swap_gas_usd,
        swap_failure_usd

    from {{ ref('fct_gas_costs') }}

    where {{ in_window('utc_hour') }}

),

with_swap as (

    select
        with_money.*,
        case when {{ is_recent('with_money.captured_ts', 'swaps.swap_ts') }} then swaps.swap_gas_usd end as swap_gas_usd,
        case when {{ is_recent('with_money.captured_ts', 'swaps.swap_ts') }} then swaps.swap_failure_usd end as swap_failure_usd

    from with_money

    {{ last_known_join('with_money', 'swaps', ['pool_venue', 'utc_hour'], 'captured_ts', 'swap_ts') }}

),

-- A crossed, locked or one-sided book cannot be traded on: its row stays, and measures nothing.
priced as (

    select
        with_swap.*,
        pools.base_reserve_base as coins,
        pools.quote_reserve_quote as money,
        pools.quote_reserve_quote / pools.base_reserve_base as pool_px,
        case when with_swap.is_pool_bought then books.best_bid_px else books.best_ask_px end as book_px,
        case when with_swap.is_pool_bought then books.bid_px else books.ask_px end as level_px,
        case when with_swap.is_pool_bought then books.bid_base_sums else books.ask_base_sums end as base_sums,
        case when with_swap.is_pool_bought then books.bid_quote_sums else books.ask_quote_sums end as quote_sums,
        pool_terms.taker_fee_frac as pool_fee_frac,
        book_fees.taker_fee_frac as book_fee_frac,
        case when with_swap.is_pool_bought then pool_terms.definition_version else book_fees.definition_version end
            as definition_version,
        books.is_two_sided as is_measurable,
        -- A pool is what the newest block left of it, and stays so until the next.
        {{ is_fresh('books') }}
        and coalesce(
            abs({{ epoch_s('pools.captured_ts') }} - {{ epoch_s('pools.event_ts') }}) <= {{ var("max_executable_block_age_s") }},
            true
        ) as is_fresh

    from with_swap

    inner join pools
        on with_swap.pool_venue = pools.venue
        and with_swap.pool_symbol = pools.symbol
        and with_swap.pool_ts = pools.captured_ts

    inner join books
        on with_swap.book_venue = books.venue
        and with_swap.book_symbol = books.symbol
        and with_swap.book_ts = books.captured_ts

    left join {{ ref('pools') }} as pool_terms
        on {{ matches('pools', 'pool_terms', ['venue', 'symbol']) }}
        and {{ in_force('pool_terms', 'with_swap.captured_ts') }}

    left join {{ ref('fees') }} as book_fees
        on {{ matches('books', 'book_fees', ['venue', 'kind']) }}
        and {{ in_force('book_fees', 'with_swap.captured_ts') }}

),

-- Buying from the pool, a coin costs money · coins / (coins − size)² / (1 − fee) at a size; selling to it brings the like.
sized as (

    select
        *,
        {% for name, usd in sizes.items() -%}
        case
            when is_measurable and is_pool_bought
                then {{ pool_pays(usd, 'pool_fee_frac', 'money', 'coins') }}
            when is_measurable
                then {{ walked(usd, 'quote_sums', 'base_sums') }}
        end as bought_{{ name }}_base,
        {% endfor -%}
        case
            when is_measurable and is_pool_bought
                then {{ bounded_size(
                    'level_px', 'base_sums',
                    'coins - sqrt(coins * money / ((1 - pool_fee_frac) * px * quote_rate * (1 - book_fee_frac)))'
                ) }}
            when is_measurable
                then {{ bounded_size(
                    'level_px', 'base_sums',
                    '(sqrt(quote_rate * (1 - pool_fee_frac) * coins * money / (px * (1 + book_fee_frac))) - coins)'
                    ~ ' / (1 - pool_fee_frac)'
                ) }}
        end as crossing_base

    from priced

),

sold as (

    select
        *,
        {% for name in sizes -%}
        quote_rate * case
            when is_pool_bought then {{ walked('bought_' ~ name ~ '_base', 'base_sums', 'quote_sums') }}
            else {{ pool_pays('bought_' ~ name ~ '_base', 'pool_fee_frac', 'coins', 'money') }}
        end as sold_{{ name }}_usd,
        {% endfor -%}
        case
            when is_pool_bought then {{ pool_takes('crossing_base', 'pool_fee_frac', 'money', 'coins') }}
            else {{ walked('crossing_base', 'base_sums', 'quote_sums') }}
        end as crossing_usd,
        quote_rate * case
            when is_pool_bought then {{ walked('crossing_base', 'base_sums', 'quote_sums') }}
            else {{ pool_pays('crossing_base', 'pool_fee_frac', 'coins', 'money') }}
        end as crossing_sold_usd

    from sized

),

charged as (

    select
        *,
        {% for name, usd in sizes.items() -%}
        sold_{{ name }}_usd - {{ usd }} * (1 - pool_fee_frac) as gross_{{ name }}_usd,
        case
            when sold_{{ name }}_usd is not null
                then {{ usd }} * pool_fee_frac
                    + book_fee_frac * case when is_pool_bought then sold_{{ name }}_usd else {{ usd }} end
        end as fees_{{ name }}_usd,
        {% endfor -%}
        crossing_sold_usd - crossing_usd * (1 - pool_fee_frac) as crossing_gross_usd,
        crossing_usd * pool_fee_frac
        + book_fee_frac * case when is_pool_bought then crossing_sold_usd else crossing_usd end as crossing_fees_usd

    from sold

),

-- A swap costs the same whatever its size, so what would not pay for it is not done at all.
judged as (

    select
        *,
        crossing_gross_usd - crossing_fees_usd > swap_gas_usd + swap_failure_usd as is_worth_a_swap

    from charged

),

final as (

    select
        underlying,
        utc_hour,
        case when is_pool_bought then pool_venue else book_venue end as buy_venue,
        case when is_pool_bought then pool_symbol else book_symbol end as buy_symbol,
        case when is_pool_bought then book_venue else pool_venue end as sell_venue,
        case when is_pool_bought then book_symbol else pool_symbol end as sell_symbol,
        case when is_measurable and is_pool_bought then pool_px when is_measurable then book_px end as buy_px,
        case
            when is_measurable and is_pool_bought then quote_rate * book_px when is_measurable then quote_rate * pool_px
        end as sell_px,
        quote_rate,
        case
            when is_measurable and is_pool_bought then {{ bps('quote_rate * book_px - pool_px', 'pool_px') }}
            when is_measurable then {{ bps('quote_rate * pool_px - book_px', 'book_px') }}
        end as gross_top_bps,
        case
            when is_measurable and is_pool_bought
                then {{ bps('quote_rate * book_px * (1 - book_fee_frac) - pool_px / (1 - pool_fee_frac)', 'pool_px') }}
            when is_measurable
                then {{ bps(
                    'quote_rate * pool_px * (1 - pool_fee_frac) - book_px * (1 + book_fee_frac)', 'book_px'
                ) }}
        end as net_top_bps,
        {% for name in sizes -%}
        gross_{{ name }}_usd,
        fees_{{ name }}_usd,
        {% endfor -%}
        case when is_worth_a_swap then crossing_base when not is_worth_a_swap then 0.0 end as best_size_base,
        case when is_worth_a_swap then crossing_usd when not is_worth_a_swap then 0.0 end as best_size_usd,
        case when is_worth_a_swap then crossing_gross_usd when not is_worth_a_swap then 0.0 end as best_gross_usd,
        case when is_worth_a_swap then crossing_fees_usd when not is_worth_a_swap then 0.0 end as best_fees_usd,
        swap_gas_usd,
        swap_failure_usd,
        coin_gas_usd + money_gas_usd as gas_usd,
        coin_transfer_usd + money_transfer_usd as transfer_usd,
        1000.0 * skew_s as skew_ms,
        is_measurable and is_fresh and skew_s <= {{ var("max_executable_skew_s") }} as is_executable,
        case when is_worth_a_swap then crossing_base >= {{ last_of('base_sums') }} when not is_worth_a_swap then false end
            as is_depth_exhausted,
        definition_version,
        captured_ts

    from judged

)

select * from final
