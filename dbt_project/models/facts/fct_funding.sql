{#-
    What longs paid shorts, payment by payment, and what they were about to pay by the end of the hour.
    Formulas, signs and caveats: docs/metrics/carry.md#funding
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

intervals as (

    select * from {{ ref('int_funding_intervals_derived') }} where {{ in_window('utc_hour') }}

),

-- A payment stands in its own hour, once; venues tell it again for days.
told as (

    select
        *,
        row_number() over (partition by venue, kind, symbol, settled_ts order by captured_ts desc, funding_rate)
            as recency_index

    from {{ ref('stg_funding_rates') }}

    where
        {{ in_window('utc_hour') }}
        and {{ epoch_s('settled_ts') }} >= {{ epoch_s('utc_hour') }}
        and {{ epoch_s('settled_ts') }} < {{ epoch_s(hour_end('utc_hour')) }}

),

-- What a settlement says of its own interval stands before what the hours around it prove: at Deribit they differ.
settled as (

    select
        told.venue,
        told.kind,
        told.symbol,
        told.utc_hour,
        told.underlying,
        told.funding_rate,
        coalesce(told.funding_interval_s, intervals.funding_interval_s) as funding_interval_s,
        case when told.funding_interval_s is not null then 'settlements' else intervals.funding_interval_source end
            as funding_interval_source,
        false as is_predicted,
        told.settled_ts,
        cast(null as timestamptz) as next_funding_ts,
        told.mark_px,
        cast(null as double) as open_interest_usd,
        told.settled_ts as rate_ts,
        told.captured_ts

    from told

    left join intervals on {{ matches('told', 'intervals', contract) }}

    where told.recency_index = 1

),

rates as (

    select * from settled

    union all

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        funding_rate,
        funding_interval_s,
        funding_interval_source,
        true as is_predicted,
        cast(null as timestamptz) as settled_ts,
        next_funding_ts,
        mark_px,
        open_interest_usd,
        captured_ts as rate_ts,
        captured_ts

    from {{ ref('int_funding_rates_observed') }}

    where {{ in_window('utc_hour') }}

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        is_predicted,
        rate_ts,
        funding_rate as rate_raw_frac,
        cast(funding_interval_s as bigint) as interval_s,
        funding_interval_source,
        {{ per_hour('funding_rate', 'funding_interval_s') }} as rate_per_hour,
        {{ per_hour('funding_rate', 'funding_interval_s') }} * {{ hours_per_year() }} as apr_ann,
        settled_ts,
        next_funding_ts,
        mark_px,
        open_interest_usd,
        captured_ts

    from rates

)

select * from final
