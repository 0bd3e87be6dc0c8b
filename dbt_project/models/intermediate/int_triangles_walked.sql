{{ config(materialized="view") }}

{#-
    Each way around three spot books of one venue, as BTC-USDT, ETH-USDT and ETH-BTC: money into coins, coins into others, those
    into money. A fee is taken from what each leg pays out. Money is in the currency that the way begins and ends in, dollars at par.
-#}

{%- set sizes = var("trade_sizes_usd") %}
{#- A hair inside the end that is taken back, for rounding must not carry what was put in beyond it. -#}
{%- set before_fee = "((1 - 1e-12) / kept_frac)" %}
{%- set paid = "(kept_frac * kept_frac * kept_frac)" %}

with

ladders as (

    select * from {{ ref('int_book_ladders') }} where kind = 'spot'

),

books as (

    select
        matched.*,
        direct.best_bid_px as direct_bid_px,
        direct.best_ask_px as direct_ask_px,
        direct.bid_base_sums as direct_bid_base_sums,
        direct.bid_quote_sums as direct_bid_quote_sums,
        direct.ask_base_sums as direct_ask_base_sums,
        direct.ask_quote_sums as direct_ask_quote_sums,
        crossing.best_bid_px as cross_bid_px,
        crossing.best_ask_px as cross_ask_px,
        crossing.bid_base_sums as cross_bid_base_sums,
        crossing.bid_quote_sums as cross_bid_quote_sums,
        crossing.ask_base_sums as cross_ask_base_sums,
        crossing.ask_quote_sums as cross_ask_quote_sums,
        middle.best_bid_px as middle_bid_px,
        middle.best_ask_px as middle_ask_px,
        middle.bid_base_sums as middle_bid_base_sums,
        middle.bid_quote_sums as middle_bid_quote_sums,
        middle.ask_base_sums as middle_ask_base_sums,
        middle.ask_quote_sums as middle_ask_quote_sums,
        1 - fees.taker_fee_frac as kept_frac,
        fees.definition_version,
        direct.is_two_sided and crossing.is_two_sided and middle.is_two_sided as is_measurable,
        {{ is_fresh('direct') }} and {{ is_fresh('crossing') }} and {{ is_fresh('middle') }} as is_fresh

    from {{ ref('int_triangles_matched') }} as matched

    inner join ladders as direct
        on matched.venue = direct.venue
        and matched.direct_symbol = direct.symbol
        and matched.direct_ts = direct.captured_ts

    inner join ladders as crossing
        on matched.venue = crossing.venue
        and matched.cross_symbol = crossing.symbol
        and matched.cross_ts = crossing.captured_ts

    inner join ladders as middle
        on matched.venue = middle.venue
        and matched.middle_symbol = middle.symbol
        and matched.middle_ts = middle.captured_ts

    left join {{ ref('fees') }} as fees
        on matched.venue = fees.venue
        and fees.kind = 'spot'
        and {{ in_force('fees', 'matched.captured_ts') }}

),

-- Through the middle and sold directly, or bought directly and sold through the middle.
ways as (

    select
        venue,
        utc_hour,
        captured_ts,
        underlying,
        skew_s,
        kept_frac,
        definition_version,
        is_measurable,
        is_fresh,
        middle_symbol as buy_symbol,
        cross_symbol as via_symbol,
        direct_symbol as sell_symbol,
        middle_ask_px * cross_ask_px as buy_px,
        direct_bid_px as sell_px,
        middle_ask_quote_sums as first_in,
        middle_ask_base_sums as first_out,
        cross_ask_quote_sums as via_in,
        cross_ask_base_sums as via_out,
        direct_bid_base_sums as last_in,
        direct_bid_quote_sums as last_out

    from books

    union all

    select
        venue,
        utc_hour,
        captured_ts,
        underlying,
        skew_s,
        kept_frac,
        definition_version,
        is_measurable,
        is_fresh,
        direct_symbol as buy_symbol,
        cross_symbol as via_symbol,
        middle_symbol as sell_symbol,
        direct_ask_px as buy_px,
        cross_bid_px * middle_bid_px as sell_px,
        direct_ask_quote_sums as first_in,
        direct_ask_base_sums as first_out,
        cross_bid_base_sums as via_in,
        cross_bid_quote_sums as via_out,
        middle_bid_base_sums as last_in,
        middle_bid_quote_sums as last_out

    from books

),

-- The net bends only where some book's level ends: there the best size is, so each end is taken back to what was put in.
ends as (

    select
        *,
        {{ walked_each('via_in', before_fee, 'first_out', 'first_in') }} as via_ends,
        {{ walked_each(walked_each('last_in', before_fee, 'via_out', 'via_in'), before_fee, 'first_out', 'first_in') }}
            as last_ends

    from ways

    where is_measurable and kept_frac * kept_frac * kept_frac * sell_px > buy_px

),

gains as (

    select
        venue,
        buy_symbol,
        via_symbol,
        sell_symbol,
        captured_ts,
        sizes,
        {{ scaled(
            walked_each(
                walked_each(walked_each('sizes', '1', 'first_in', 'first_out'), 'kept_frac', 'via_in', 'via_out'),
                'kept_frac', 'last_in', 'last_out'
            ),
            'kept_frac'
        ) }} as outcomes

    from (select *, {{ joined_lists(['first_in', 'via_ends', 'last_ends']) }} as sizes from ends) as ended

),

best as (

    select
        *,
        {{ best_of('sizes', 'outcomes') }} as best_size_usd,
        {{ largest_filled('sizes', 'outcomes') }} as largest_size_usd

    from gains

),

sized as (

    select
        ways.*,
        case
            when not ways.is_measurable or ways.kept_frac is null then null
            when best.venue is null then 0.0
            else best.best_size_usd
        end as best_size_usd,
        best.largest_size_usd

    from ways

    left join best on {{ matches('ways', 'best', ['venue', 'buy_symbol', 'via_symbol', 'sell_symbol', 'captured_ts']) }}

),

first_legs as (

    select
        *,
        {% for name, usd in sizes.items() -%}
        case when is_measurable then kept_frac * {{ walked(usd, 'first_in', 'first_out') }} end as first_{{ name }}_qty,
        {% endfor -%}
        kept_frac * {{ walked('best_size_usd', 'first_in', 'first_out') }} as first_best_qty

    from sized

),

via_legs as (

    select
        *,
        {% for name in sizes -%}
        kept_frac * {{ walked('first_' ~ name ~ '_qty', 'via_in', 'via_out') }} as via_{{ name }}_qty,
        {% endfor -%}
        kept_frac * {{ walked('first_best_qty', 'via_in', 'via_out') }} as via_best_qty

    from first_legs

),

last_legs as (

    select
        *,
        {% for name in sizes -%}
        kept_frac * {{ walked('via_' ~ name ~ '_qty', 'last_in', 'last_out') }} as kept_{{ name }}_usd,
        {% endfor -%}
        kept_frac * {{ walked('via_best_qty', 'last_in', 'last_out') }} as kept_best_usd

    from via_legs

),

final as (

    select
        underlying,
        venue,
        utc_hour,
        buy_symbol,
        via_symbol,
        sell_symbol,
        case when is_measurable then buy_px end as buy_px,
        case when is_measurable then sell_px end as sell_px,
        case when is_measurable then {{ bps('sell_px - buy_px', 'buy_px') }} end as gross_top_bps,
        case when is_measurable then {{ bps('sell_px * ' ~ paid ~ ' - buy_px', 'buy_px') }} end as net_top_bps,
        {% for name, usd in sizes.items() -%}
        kept_{{ name }}_usd / {{ paid }} - {{ usd }} as gross_{{ name }}_usd,
        kept_{{ name }}_usd / {{ paid }} - kept_{{ name }}_usd as fees_{{ name }}_usd,
        {% endfor -%}
        best_size_usd,
        kept_best_usd / {{ paid }} - best_size_usd as best_gross_usd,
        kept_best_usd / {{ paid }} - kept_best_usd as best_fees_usd,
        1000.0 * skew_s as skew_ms,
        is_measurable and is_fresh and skew_s <= {{ var("max_executable_skew_s") }} as is_executable,
        best_size_usd > 0 and best_size_usd >= largest_size_usd as is_depth_exhausted,
        definition_version,
        captured_ts

    from last_legs

)

select * from final
