{#-
    What each perpetual paid, as a rate per hour, by the hour that told it. The warehouse keeps them: scenarios rest on weeks
    of payments, and a run sees its own window alone.
-#}

with

intervals as (

    select * from {{ ref('int_funding_intervals_derived') }} where {{ in_window('utc_hour') }}

),

told as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        {{ nearest_minute('settled_ts') }} as settlement_ts,
        {{ value_at_max('funding_rate', 'captured_ts') }} as funding_rate,
        max(funding_interval_s) as own_interval_s

    from {{ ref('stg_funding_rates') }}

    where {{ in_window('utc_hour') }} and settled_ts > {{ plus_days('utc_hour', '-' ~ var("funding_history_days")) }}

    group by venue, kind, symbol, utc_hour, {{ nearest_minute('settled_ts') }}

),

final as (

    select
        told.venue,
        told.kind,
        told.symbol,
        told.utc_hour,
        told.settlement_ts,
        told.funding_rate,
        told.own_interval_s is not null as is_interval_own,
        coalesce(told.own_interval_s, intervals.funding_interval_s) as funding_interval_s,
        {{ per_hour('told.funding_rate', 'coalesce(told.own_interval_s, intervals.funding_interval_s)') }}
            as rate_per_hour

    from told

    left join intervals on {{ matches('told', 'intervals', ['venue', 'kind', 'symbol', 'utc_hour']) }}

)

select * from final
