{#-
    The hour's pressure on each underlying, family by family, before any standardising: book, flow, basis, volatility, positioning.
    A family that was not measured is null. All are signed alike: positive, buyers press.
-#}

with

book_means as (

    select
        underlying,
        utc_hour,
        venue,
        kind,
        symbol,
        {{ ordered_mean('depth_imbalance_10bps_frac', 'captured_ts') }} as imbalance_frac,
        {{ ordered_mean('case when not is_crossed then spread_bps end', 'captured_ts') }} as spread_bps,
        count(*) as snapshots_count,
        count(case when is_crossed or is_locked then 1 end) as crossed_count

    from {{ ref('fct_order_book_imbalance') }}

    where {{ in_window('utc_hour') }}

    group by underlying, utc_hour, venue, kind, symbol

),

books as (

    select
        underlying,
        utc_hour,
        {{ ordered_mean('imbalance_frac', 'venue, kind, symbol') }} as book_imbalance_10bps_frac,
        {{ ordered_mean('spread_bps', 'venue, kind, symbol') }} as spread_bps,
        cast(sum(snapshots_count) as bigint) as order_books_count,
        cast(sum(crossed_count) as bigint) as crossed_books_count

    from book_means

    group by underlying, utc_hour

),

flows as (

    select
        underlying,
        utc_hour,
        {{ ordered_sum('buy_usd', 'venue, kind, symbol') }} as buy_usd,
        {{ ordered_sum('sell_usd', 'venue, kind, symbol') }} as sell_usd

    from {{ ref('fct_trade_flow') }}

    where {{ in_window('utc_hour') }}

    group by underlying, utc_hour

),

basis_means as (

    select * from {{ ref('int_basis_hours_averaged') }} where {{ in_window('utc_hour') }}

),

bases as (

    select
        underlying,
        utc_hour,
        {{ ordered_mean("case when kind = 'perp' then basis_bps end", 'venue, symbol') }} as perp_basis_bps,
        {{ ordered_mean("case when kind = 'future' then basis_simple_ann end", 'venue, symbol') }}
            as future_basis_simple_ann,
        {{ ordered_sum(
            "case when kind = 'perp' then funding_rate_per_hour * open_interest_usd end", 'venue, symbol'
        ) }}
        / nullif({{ ordered_sum(
            "case when kind = 'perp' and funding_rate_per_hour is not null then open_interest_usd end", 'venue, symbol'
        ) }}, 0) as funding_rate_per_hour,
        {{ ordered_sum('open_interest_usd', 'venue, kind, symbol') }} as open_interest_usd

    from basis_means

    group by underlying, utc_hour

),

vol_means as (

    select
        underlying,
        utc_hour,
        venue,
        {{ ordered_mean('implied_vol_ann', 'captured_ts, settle_asset') }} as implied_vol_ann,
        max(realized_vol_trailing_ann) as realized_vol_ann

    from {{ ref('fct_vol_spread') }}

    where tenor_days = 30 and {{ in_window('utc_hour') }}

    group by underlying, utc_hour, venue

),

vols as (

    select
        underlying,
        utc_hour,
        {{ ordered_mean('implied_vol_ann', 'venue') }} as implied_vol_30d_ann,
        max(realized_vol_ann) as realized_vol_trailing_30d_ann

    from vol_means

    group by underlying, utc_hour

),

-- The last placing of the hour at each venue.
placings as (

    select
        underlying,
        utc_hour,
        {{ ordered_sum('call_oi_base', 'venue') }} as call_oi_base,
        {{ ordered_sum('put_oi_base', 'venue') }} as put_oi_base

    from (
        select
            *,
            row_number() over (partition by underlying, utc_hour, venue order by captured_ts desc) as recency_index

        from {{ ref('fct_options_positioning') }}

        where expiry_ts is null and {{ in_window('utc_hour') }}
    ) as ranked

    where recency_index = 1

    group by underlying, utc_hour

),

seen as (

    select underlying, utc_hour, venue from {{ ref('fct_order_book_imbalance') }} where {{ in_window('utc_hour') }}
    union
    select underlying, utc_hour, venue from {{ ref('fct_trade_flow') }} where {{ in_window('utc_hour') }}
    union
    select underlying, utc_hour, venue from {{ ref('fct_basis') }} where {{ in_window('utc_hour') }}
    union
    select underlying, utc_hour, venue from {{ ref('fct_vol_spread') }} where {{ in_window('utc_hour') }}
    union
    select underlying, utc_hour, venue from {{ ref('fct_options_positioning') }} where {{ in_window('utc_hour') }}

),

hours as (

    select
        underlying,
        utc_hour,
        count(*) as venues_count

    from seen

    group by underlying, utc_hour

),

final as (

    select
        hours.underlying,
        hours.utc_hour,
        hours.venues_count,
        books.book_imbalance_10bps_frac,
        books.spread_bps,
        coalesce(books.order_books_count, 0) as order_books_count,
        coalesce(books.crossed_books_count, 0) as crossed_books_count,
        {{ imbalance('flows.buy_usd', 'flows.sell_usd') }} as trade_imbalance_frac,
        flows.buy_usd + flows.sell_usd as volume_usd,
        bases.perp_basis_bps,
        bases.future_basis_simple_ann,
        bases.funding_rate_per_hour,
        bases.open_interest_usd,
        vols.implied_vol_30d_ann,
        vols.realized_vol_trailing_30d_ann,
        vols.implied_vol_30d_ann - vols.realized_vol_trailing_30d_ann as vol_spread_trailing_30d_ann,
        placings.put_oi_base / nullif(placings.call_oi_base, 0) as put_call_oi_frac,
        {{ imbalance('placings.call_oi_base', 'placings.put_oi_base') }} as oi_imbalance_frac

    from hours

    left join books on {{ matches('hours', 'books', ['underlying', 'utc_hour']) }}

    left join flows on {{ matches('hours', 'flows', ['underlying', 'utc_hour']) }}

    left join bases on {{ matches('hours', 'bases', ['underlying', 'utc_hour']) }}

    left join vols on {{ matches('hours', 'vols', ['underlying', 'utc_hour']) }}

    left join placings on {{ matches('hours', 'placings', ['underlying', 'utc_hour']) }}

)

select * from final
