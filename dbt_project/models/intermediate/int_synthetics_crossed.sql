{{ config(materialized="view") }}

{#-
    Put-call parity at each strike against the dated future of the same expiry and venue: a call bought and a put sold are the
    future at K + (C - P). Each leg at the side that it would trade at, touch alone: options are quoted one level deep.
    A premium in coin is in dollars by the forward of its expiry.
-#}

{%- set sizes = var("trade_sizes_usd") %}

with

options as (

    select
        *,
        case when is_inverse then forward_px else 1.0 end as premium_px

    from {{ ref('stg_option_quotes') }}

    where {{ in_window('utc_hour') }}

),

parities as (

    select
        calls.venue,
        calls.underlying,
        calls.expiry_ts,
        calls.strike_px,
        calls.quote_asset,
        calls.utc_hour,
        calls.symbol as call_symbol,
        puts.symbol as put_symbol,
        calls.strike_px + calls.bid_px * calls.premium_px - puts.ask_px * puts.premium_px as synthetic_bid_px,
        calls.strike_px + calls.ask_px * calls.premium_px - puts.bid_px * puts.premium_px as synthetic_ask_px,
        case when calls.bid_base is not null and puts.ask_base is not null then least(calls.bid_base, puts.ask_base) end
            as synthetic_bid_base,
        case when calls.ask_base is not null and puts.bid_base is not null then least(calls.ask_base, puts.bid_base) end
            as synthetic_ask_base,
        {{ is_fresh('calls') }} and {{ is_fresh('puts') }} as is_chain_fresh,
        calls.captured_ts as chain_ts

    from options as calls

    inner join options as puts
        on {{ matches('calls', 'puts', [
            'venue', 'underlying', 'expiry_ts', 'strike_px', 'quote_asset', 'utc_hour', 'captured_ts'
        ]) }}

    where
        calls.option_type = 'call'
        and puts.option_type = 'put'
        and calls.bid_px < calls.ask_px
        and puts.bid_px < puts.ask_px

),

books as (

    select *

    from {{ ref('stg_order_books') }}

    where
        kind = 'future'
        and is_in_dollars
        and {{ is_at_par('quote_asset') }}
        and {{ in_window('utc_hour') }}

),

futures as (

    select
        books.venue,
        books.symbol as future_symbol,
        books.utc_hour,
        books.underlying,
        books.quote_asset as future_quote_asset,
        terms.expiry_ts,
        {{ element('books.bid_px', 1) }} as future_bid_px,
        {{ element('books.ask_px', 1) }} as future_ask_px,
        {{ element('books.bid_usd', 1) }} / {{ element('books.bid_px', 1) }} as future_bid_base,
        {{ element('books.ask_usd', 1) }} / {{ element('books.ask_px', 1) }} as future_ask_base,
        {{ is_fresh('books') }} as is_future_fresh,
        books.captured_ts as future_ts

    from books

    {{ terms_join('books', 'captured_ts') }}

),

chains as (

    select distinct
        venue,
        underlying,
        expiry_ts,
        quote_asset,
        utc_hour,
        chain_ts

    from parities

),

-- Whenever either was captured, beside the newest of the other.
instants as (

    select
        futures.venue,
        futures.underlying,
        futures.expiry_ts,
        futures.utc_hour,
        futures.future_symbol,
        chains.quote_asset,
        chains.chain_ts as captured_ts

    from futures

    inner join chains on {{ matches('futures', 'chains', ['venue', 'underlying', 'expiry_ts', 'utc_hour']) }}

    union

    select
        futures.venue,
        futures.underlying,
        futures.expiry_ts,
        futures.utc_hour,
        futures.future_symbol,
        chains.quote_asset,
        futures.future_ts as captured_ts

    from futures

    inner join chains on {{ matches('futures', 'chains', ['venue', 'underlying', 'expiry_ts', 'utc_hour']) }}

),

with_chain as (

    select
        instants.*,
        chains.chain_ts

    from instants

    {{ last_known_join(
        'instants', 'chains', ['venue', 'underlying', 'expiry_ts', 'quote_asset', 'utc_hour'], 'captured_ts', 'chain_ts'
    ) }}

),

matched as (

    select
        with_chain.*,
        futures.future_quote_asset,
        futures.future_bid_px,
        futures.future_ask_px,
        futures.future_bid_base,
        futures.future_ask_base,
        futures.is_future_fresh,
        abs({{ epoch_s('with_chain.chain_ts') }} - {{ epoch_s('futures.future_ts') }}) as skew_s

    from with_chain

    {{ last_known_join('with_chain', 'futures', ['venue', 'future_symbol', 'utc_hour'], 'captured_ts', 'future_ts') }}

    where futures.future_bid_px < futures.future_ask_px

),

-- Selling the synthetic and buying the future, and the other way round.
ways as (

    select
        matched.venue,
        matched.underlying,
        matched.utc_hour,
        matched.captured_ts,
        matched.skew_s,
        'future' as buy_kind,
        matched.future_symbol as buy_symbol,
        matched.future_quote_asset as buy_quote_asset,
        matched.future_ask_px as buy_px,
        'option' as sell_kind,
        parities.call_symbol as sell_symbol,
        parities.quote_asset as sell_quote_asset,
        parities.synthetic_bid_px as sell_quote_px,
        parities.put_symbol as via_symbol,
        case when parities.synthetic_bid_base is not null then least(parities.synthetic_bid_base, matched.future_ask_base) end
            as top_base,
        parities.is_chain_fresh and matched.is_future_fresh as is_fresh

    from matched

    inner join parities
        on {{ matches('matched', 'parities', ['venue', 'underlying', 'expiry_ts', 'quote_asset', 'chain_ts']) }}

    where matched.skew_s <= {{ var("max_arbitrage_skew_s") }}

    union all

    select
        matched.venue,
        matched.underlying,
        matched.utc_hour,
        matched.captured_ts,
        matched.skew_s,
        'option' as buy_kind,
        parities.call_symbol as buy_symbol,
        parities.quote_asset as buy_quote_asset,
        parities.synthetic_ask_px as buy_px,
        'future' as sell_kind,
        matched.future_symbol as sell_symbol,
        matched.future_quote_asset as sell_quote_asset,
        matched.future_bid_px as sell_quote_px,
        parities.put_symbol as via_symbol,
        case when parities.synthetic_ask_base is not null then least(parities.synthetic_ask_base, matched.future_bid_base) end
            as top_base,
        parities.is_chain_fresh and matched.is_future_fresh as is_fresh

    from matched

    inner join parities
        on {{ matches('matched', 'parities', ['venue', 'underlying', 'expiry_ts', 'quote_asset', 'chain_ts']) }}

    where matched.skew_s <= {{ var("max_arbitrage_skew_s") }}

),

{{ converted_rows('ways') }},

-- Three legs are opened and, at expiry, the future and one of the two options are delivered; each fee is of the notional.
charged as (

    select
        converted.*,
        quote_rate * sell_quote_px as sell_px,
        future_fees.taker_fee_frac + 2 * option_fees.taker_fee_frac
        + future_fees.delivery_fee_frac + option_fees.delivery_fee_frac as fee_frac,
        future_fees.definition_version

    from converted

    left join {{ ref('fees') }} as future_fees
        on converted.venue = future_fees.venue
        and future_fees.kind = 'future'
        and {{ in_force('future_fees', 'converted.captured_ts') }}

    left join {{ ref('fees') }} as option_fees
        on converted.venue = option_fees.venue
        and option_fees.kind = 'option'
        and {{ in_force('option_fees', 'converted.captured_ts') }}

    where converted.quote_rate is not null and converted.buy_px > 0 and converted.sell_quote_px is not null

),

sized as (

    select
        *,
        top_base * buy_px as top_usd,
        case when sell_px - buy_px * (1 + fee_frac) > 0 then top_base when fee_frac is not null then 0.0 end as best_size_base

    from charged

),

final as (

    select
        underlying,
        venue,
        utc_hour,
        buy_kind,
        buy_symbol,
        via_symbol,
        sell_kind,
        sell_symbol,
        buy_px,
        sell_px,
        quote_rate,
        {{ bps('sell_px - buy_px', 'buy_px') }} as gross_top_bps,
        {{ bps('sell_px - buy_px * (1 + fee_frac)', 'buy_px') }} as net_top_bps,
        {% for name, usd in sizes.items() -%}
        case when top_usd >= {{ usd }} then {{ usd }} * (sell_px - buy_px) / buy_px end as gross_{{ name }}_usd,
        case when top_usd >= {{ usd }} then {{ usd }} * fee_frac end as fees_{{ name }}_usd,
        {% endfor -%}
        best_size_base,
        best_size_base * buy_px as best_size_usd,
        best_size_base * greatest(sell_px - buy_px, 0.0) as best_gross_usd,
        best_size_base * buy_px * fee_frac as best_fees_usd,
        1000.0 * skew_s as skew_ms,
        is_fresh and skew_s <= {{ var("max_executable_skew_s") }} as is_executable,
        best_size_base > 0 as is_depth_exhausted,
        definition_version,
        captured_ts

    from sized

)

select * from final
