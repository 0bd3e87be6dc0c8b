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

gaps as (

    select
        *,
        {{ epoch_s('settlement_ts') }} - lag({{ epoch_s('settlement_ts') }}) over successive as gap_s

    from told

    window successive as (partition by venue, kind, symbol, utc_hour order by settlement_ts)

),

-- One hour may tell of weeks in which the interval has changed: two gaps in a row that agree prove a payment's own.
proven as (

    select
        *,
        cast(case
            when gap_s in (lag(gap_s) over successive, lead(gap_s) over successive) then gap_s
            when lead(gap_s) over successive = lead(gap_s, 2) over successive then lead(gap_s) over successive
        end as bigint) as proven_interval_s

    from gaps

    window successive as (partition by venue, kind, symbol, utc_hour order by settlement_ts)

),

intervalled as (

    select
        proven.*,
        coalesce(proven.own_interval_s, proven.proven_interval_s, intervals.funding_interval_s) as funding_interval_s

    from proven

    left join intervals on {{ matches('proven', 'intervals', ['venue', 'kind', 'symbol', 'utc_hour']) }}

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        settlement_ts,
        funding_rate,
        own_interval_s is not null as is_interval_own,
        funding_interval_s,
        {{ per_hour('funding_rate', 'funding_interval_s') }} as rate_per_hour

    from intervalled

)

select * from final
