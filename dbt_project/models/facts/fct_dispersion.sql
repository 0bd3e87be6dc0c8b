{#-
    How far apart venues quote one coin at one time, in one currency: spot among spot, perpetuals among perpetuals.
    Formulas, signs and caveats: docs/metrics/flow.md#dispersion
-#}

{%- set moment = ['underlying', 'kind', 'minute_ts'] %}

with

mids as (

    select
        *,
        {{ minute_start('captured_ts') }} as minute_ts

    from {{ ref('int_mids_observed') }}

    -- Dated futures differ by their expiry, and pairs of two currencies are the rates themselves.
    where kind in ('spot', 'perp') and not {{ is_at_par('underlying') }} and {{ in_window('utc_hour') }}

),

newest as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        quote_asset,
        minute_ts,
        max(captured_ts) as captured_ts,
        {{ value_at_max('mid_px', 'captured_ts') }} as mid_px

    from mids

    group by venue, kind, symbol, utc_hour, underlying, quote_asset, minute_ts

),

currencies as (

    select 1 as preference, 'USD' as told_asset
    union all
    select 2 as preference, 'USDT' as told_asset
    union all
    select 3 as preference, 'USDC' as told_asset

),

candidates as (

    select
        newest.*,
        currencies.preference,
        currencies.told_asset

    from newest

    cross join currencies

),

rate_series as (

    select
        from_asset as quote_asset,
        to_asset as told_asset,
        utc_hour,
        captured_ts as rate_ts,
        rate

    from {{ ref('int_quote_rates_observed') }}

    where {{ in_window('utc_hour') }}

),

told as (

    select
        candidates.*,
        case
            when candidates.quote_asset = candidates.told_asset then candidates.mid_px
            when {{ epoch_s('candidates.captured_ts') }} - {{ epoch_s('rate_series.rate_ts') }} <= {{ var("max_leg_skew_s") }}
                then candidates.mid_px * rate_series.rate
        end as told_px

    from candidates

    {{ last_known_join(
        'candidates', 'rate_series', ['quote_asset', 'told_asset', 'utc_hour'], 'captured_ts', 'rate_ts'
    ) }}

),

-- What cannot be told in a currency is not compared in it, and makes nothing else too old.
aged as (

    select
        *,
        max(captured_ts) over (partition by {{ moment | join(', ') }}, preference) as latest_ts

    from told

    where told_px is not null

),

-- A venue counts once, whatever it lists.
venues as (

    select
        {{ moment | join(', ') }},
        utc_hour,
        preference,
        told_asset,
        venue,
        {{ median_of('told_px') }} as venue_px,
        min(captured_ts) as first_ts,
        max(captured_ts) as last_ts

    from aged

    where {{ epoch_s('latest_ts') }} - {{ epoch_s('captured_ts') }} <= {{ var("max_dispersion_skew_s") }}

    group by {{ moment | join(', ') }}, utc_hour, preference, told_asset, venue

),

spreads as (

    select
        {{ moment | join(', ') }},
        utc_hour,
        preference,
        told_asset,
        count(*) as venues_count,
        min(venue_px) as lowest_mid_px,
        max(venue_px) as highest_mid_px,
        {{ median_of('venue_px') }} as median_mid_px,
        min(first_ts) as first_ts,
        max(last_ts) as captured_ts

    from venues

    group by {{ moment | join(', ') }}, utc_hour, preference, told_asset

),

-- The currency in which most venues can be told.
ranked as (

    select
        *,
        row_number() over (partition by {{ moment | join(', ') }} order by venues_count desc, preference) as currency_rank

    from spreads

),

ends as (

    select
        ranked.underlying,
        ranked.kind,
        ranked.minute_ts,
        min(case when venues.venue_px = ranked.lowest_mid_px then venues.venue end) as lowest_venue,
        min(case when venues.venue_px = ranked.highest_mid_px then venues.venue end) as highest_venue

    from ranked

    inner join venues on {{ matches('ranked', 'venues', moment + ['preference']) }}

    where ranked.currency_rank = 1

    group by ranked.underlying, ranked.kind, ranked.minute_ts

),

final as (

    select
        ranked.underlying,
        ranked.kind,
        ranked.minute_ts,
        ranked.utc_hour,
        ranked.told_asset as quote_asset,
        ranked.venues_count,
        ranked.lowest_mid_px,
        ranked.median_mid_px,
        ranked.highest_mid_px,
        case when ranked.venues_count > 1 then ends.lowest_venue end as lowest_venue,
        case when ranked.venues_count > 1 then ends.highest_venue end as highest_venue,
        case
            when ranked.venues_count > 1
                then {{ bps('ranked.highest_mid_px - ranked.lowest_mid_px', 'ranked.median_mid_px') }}
        end as dispersion_bps,
        1000.0 * ({{ epoch_s('ranked.captured_ts') }} - {{ epoch_s('ranked.first_ts') }}) as skew_ms,
        ranked.captured_ts

    from ranked

    inner join ends on {{ matches('ranked', 'ends', moment) }}

    where ranked.currency_rank = 1

)

select * from final
