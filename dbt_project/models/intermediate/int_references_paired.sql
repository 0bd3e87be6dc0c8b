{#-
    Each derivative quote beside each price that it can be measured against: its venue's index, and every spot pair of the
    reference venues, newest at or before the quote. A leg or rate too old, or a currency whose rate was not observed, gives no row.
-#}

with

quotes as (

    select * from {{ ref('int_derivative_quotes') }} where {{ in_window('utc_hour') }}

),

spots as (

    select spot_quotes.*

    from {{ ref('int_spot_quotes') }} as spot_quotes

    inner join {{ ref('reference_venues') }} as reference_venues
        on spot_quotes.venue = reference_venues.venue

    where {{ in_window('spot_quotes.utc_hour') }}

),

rates as (

    select * from {{ ref('int_quote_rates_observed') }} where {{ in_window('utc_hour') }}

),

spot_pairs as (

    select distinct
        venue as reference_venue,
        symbol as reference_symbol,
        quote_asset as reference_quote_asset,
        underlying,
        utc_hour

    from spots

),

spot_series as (

    select
        venue as reference_venue,
        symbol as reference_symbol,
        utc_hour,
        captured_ts as reference_captured_ts,
        mid_px as reference_px

    from spots

),

index_series as (

    select
        venue,
        underlying,
        quote_asset,
        utc_hour,
        captured_ts as index_seen_ts,
        {{ value_at_min('symbol', 'symbol') }} as index_symbol,
        {{ value_at_min('index_px', 'symbol') }} as venue_index_px

    from {{ ref('stg_index_prices') }}

    where {{ in_window('utc_hour') }}

    group by venue, underlying, quote_asset, utc_hour, captured_ts

),

-- Those that the venue has an index for; the others would be sorted to find nothing.
without_index as (

    select * from quotes

    where
        (
            index_px is null
            or {{ epoch_s('captured_ts') }} - {{ epoch_s('index_captured_ts') }} > {{ var("max_leg_skew_s") }}
        )
        and exists (
            select 1 from index_series
            where {{ matches('quotes', 'index_series', ['venue', 'underlying', 'quote_asset', 'utc_hour']) }}
        )

),

candidates as (

    select
        quotes.*,
        spot_pairs.reference_venue,
        spot_pairs.reference_symbol,
        spot_pairs.reference_quote_asset,
        'spot' as reference_kind

    from quotes

    inner join spot_pairs
        on quotes.underlying = spot_pairs.underlying
        and quotes.utc_hour = spot_pairs.utc_hour

),

priced as (

    select
        candidates.*,
        spot_series.reference_px,
        spot_series.reference_captured_ts

    from candidates

    {{ last_known_join(
        'candidates', 'spot_series', ['reference_venue', 'reference_symbol', 'utc_hour'],
        'captured_ts', 'reference_captured_ts'
    ) }}

    union all

    select
        quotes.*,
        quotes.venue as reference_venue,
        quotes.symbol as reference_symbol,
        quotes.quote_asset as reference_quote_asset,
        'index' as reference_kind,
        quotes.index_px as reference_px,
        quotes.index_captured_ts as reference_captured_ts

    from quotes

    where quotes.index_px is not null

    union all

    -- Where the ticker tells no index or told it too long ago, the venue's own index of the pair, in the contract's currency.
    select
        without_index.*,
        without_index.venue as reference_venue,
        index_series.index_symbol as reference_symbol,
        without_index.quote_asset as reference_quote_asset,
        'index' as reference_kind,
        index_series.venue_index_px as reference_px,
        index_series.index_seen_ts as reference_captured_ts

    from without_index

    {{ last_known_join(
        'without_index', 'index_series', ['venue', 'underlying', 'quote_asset', 'utc_hour'],
        'captured_ts', 'index_seen_ts'
    ) }}

),

rate_series as (

    select
        from_asset as reference_quote_asset,
        to_asset as quote_asset,
        utc_hour,
        captured_ts as rate_captured_ts,
        rate

    from rates

),

abroad as (

    select * from priced where quote_asset <> reference_quote_asset

),

converted as (

    select
        *,
        cast(1.0 as double) as quote_rate

    from priced

    where quote_asset = reference_quote_asset

    union all

    select
        abroad.*,
        case
            when {{ epoch_s('abroad.captured_ts') }} - {{ epoch_s('rate_series.rate_captured_ts') }}
                <= {{ var("max_leg_skew_s") }}
                then rate_series.rate
        end as quote_rate

    from abroad

    {{ last_known_join(
        'abroad', 'rate_series', ['reference_quote_asset', 'quote_asset', 'utc_hour'],
        'captured_ts', 'rate_captured_ts'
    ) }}

),

final as (

    select * from converted

    where
        quote_rate is not null
        and reference_px is not null
        and {{ epoch_s('captured_ts') }} - {{ epoch_s('reference_captured_ts') }} <= {{ var("max_leg_skew_s") }}

)

select * from final
