{{ config(materialized="view") }}

{#-
    Put-call parity at each strike against the dated future of the same expiry and venue: a call bought and a put sold are the
    future at K + (C - P). Each leg at the side that it would trade at, touch alone: options are quoted one level deep.
    A premium in coin is in dollars by the forward of its expiry.
-#}

{%- set sizes = var("trade_sizes_usd") %}
{%- set strike = ["venue", "underlying", "expiry_ts", "strike_px", "quote_asset", "settle_asset", "utc_hour"] %}
{%- set chain = ["venue", "underlying", "expiry_ts", "utc_hour"] %}

{%- set of_the_future %}futures.future_quote_asset,
        futures.future_bid_px,
        futures.future_ask_px,
        futures.future_bid_base,
        futures.future_ask_base,
        futures.is_future_fresh,
        futures.future_ts,
{%- endset %}

with

-- Each option at the instants that told a price of it; a reply may tell its volatility alone.
options as (

    select
        *,
        case when is_inverse then forward_px else 1.0 end as premium_px,
        row_number() over (partition by venue, symbol, captured_ts order by event_ts desc) as newest_first

    from {{ ref('stg_option_quotes') }}

    where (bid_px is not null or ask_px is not null) and {{ in_window('utc_hour') }}

),

{% for option_type in ["call", "put"] -%}
{{ option_type }}s as (

    select
        {{ strike | join(", ") }},
        symbol as {{ option_type }}_symbol,
        bid_px as {{ option_type }}_bid_px,
        ask_px as {{ option_type }}_ask_px,
        bid_px * premium_px as {{ option_type }}_bid_quote_px,
        ask_px * premium_px as {{ option_type }}_ask_quote_px,
        bid_base as {{ option_type }}_bid_base,
        ask_base as {{ option_type }}_ask_base,
        {{ is_fresh('options') }} as is_{{ option_type }}_fresh,
        captured_ts as {{ option_type }}_ts

    from options

    where option_type = '{{ option_type }}' and newest_first = 1

),

{% endfor -%}
-- A reply tells a chain at once, a stream each option by itself: whenever either was told, beside the newest of the other.
told as (

    select distinct
        {{ strike | join(", ") }},
        captured_ts as chain_ts

    from options

),

with_next as (

    select
        *,
        lead(chain_ts) over (partition by {{ strike | join(", ") }} order by chain_ts) as next_chain_ts

    from told

),

{% for option_type, rows in [("call", "with_next"), ("put", "with_call")] -%}
with_{{ option_type }} as (

    select
        {{ rows }}.*,
        {% for column in ["symbol", "bid_px", "ask_px", "bid_quote_px", "ask_quote_px", "bid_base", "ask_base", "ts"] -%}
        {{ option_type }}s.{{ option_type }}_{{ column }},
        {% endfor -%}
        {{ option_type }}s.is_{{ option_type }}_fresh

    from {{ rows }}

    {{ last_known_join(rows, option_type ~ 's', strike, 'chain_ts', option_type ~ '_ts') }}

),

{% endfor -%}
-- A stream tells every second or so: of each minute the newest pair.
parities as (

    select
        {{ strike | join(", ") }},
        call_symbol,
        put_symbol,
        strike_px + call_bid_quote_px - put_ask_quote_px as synthetic_bid_px,
        strike_px + call_ask_quote_px - put_bid_quote_px as synthetic_ask_px,
        case when call_bid_base is not null and put_ask_base is not null then least(call_bid_base, put_ask_base) end
            as synthetic_bid_base,
        case when call_ask_base is not null and put_bid_base is not null then least(call_ask_base, put_bid_base) end
            as synthetic_ask_base,
        is_call_fresh and is_put_fresh as is_chain_fresh,
        least(call_ts, put_ts) as first_ts,
        chain_ts,
        next_chain_ts,
        row_number() over (
            partition by {{ strike | join(", ") }}, {{ minute_start('chain_ts') }} order by chain_ts desc
        ) as newest_first

    from with_put

    where
        call_bid_px < call_ask_px
        and put_bid_px < put_ask_px
        and abs({{ epoch_s('call_ts') }} - {{ epoch_s('put_ts') }}) <= {{ var("max_arbitrage_skew_s") }}

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

expiries as (

    select distinct
        {{ chain | join(", ") }},
        future_symbol

    from futures

),

chained as (

    select
        parities.*,
        expiries.future_symbol

    from parities

    inner join expiries on {{ matches('parities', 'expiries', chain) }}

    where parities.newest_first = 1

),

-- Whenever either was captured, beside the newest of the other.
matched as (

    select
        chained.*,
        {{ of_the_future }}
        chained.chain_ts as captured_ts

    from chained

    {{ last_known_join('chained', 'futures', chain + ['future_symbol'], 'chain_ts', 'future_ts') }}

    union all

    select
        chained.*,
        {{ of_the_future }}
        futures.future_ts as captured_ts

    from chained

    inner join futures
        on {{ matches('chained', 'futures', chain + ['future_symbol']) }}
        and chained.chain_ts < futures.future_ts
        and (chained.next_chain_ts is null or chained.next_chain_ts > futures.future_ts)
        and {{ epoch_s('futures.future_ts') }} - {{ epoch_s('chained.chain_ts') }} <= {{ var("max_arbitrage_skew_s") }}

),

paired as (

    select
        *,
        {{ epoch_s('captured_ts') }} - least({{ epoch_s('first_ts') }}, {{ epoch_s('future_ts') }}) as skew_s

    from matched

    where future_bid_px < future_ask_px

),

-- Selling the synthetic and buying the future, and the other way round.
ways as (

    select
        venue,
        underlying,
        utc_hour,
        captured_ts,
        skew_s,
        'future' as buy_kind,
        future_symbol as buy_symbol,
        future_quote_asset as buy_quote_asset,
        future_ask_px as buy_px,
        'option' as sell_kind,
        call_symbol as sell_symbol,
        quote_asset as sell_quote_asset,
        synthetic_bid_px as sell_quote_px,
        put_symbol as via_symbol,
        case when synthetic_bid_base is not null then least(synthetic_bid_base, future_ask_base) end
            as top_base,
        is_chain_fresh and is_future_fresh as is_fresh

    from paired

    where skew_s <= {{ var("max_arbitrage_skew_s") }}

    union all

    select
        venue,
        underlying,
        utc_hour,
        captured_ts,
        skew_s,
        'option' as buy_kind,
        call_symbol as buy_symbol,
        quote_asset as buy_quote_asset,
        synthetic_ask_px as buy_px,
        'future' as sell_kind,
        future_symbol as sell_symbol,
        future_quote_asset as sell_quote_asset,
        future_bid_px as sell_quote_px,
        put_symbol as via_symbol,
        case when synthetic_ask_base is not null then least(synthetic_ask_base, future_bid_base) end
            as top_base,
        is_chain_fresh and is_future_fresh as is_fresh

    from paired

    where skew_s <= {{ var("max_arbitrage_skew_s") }}

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
