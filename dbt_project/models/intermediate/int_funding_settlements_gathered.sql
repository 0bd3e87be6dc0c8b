{#-
    The instants at which each perpetual's funding was settled or announced to be, to the minute, by the hour that told them.
    The warehouse keeps them: an interval is proven over days, and a run sees its own window alone.
-#}

with

told as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        {{ nearest_minute('settled_ts') }} as settlement_ts

    from {{ ref('stg_funding_rates') }}

    where {{ in_window('utc_hour') }}

    union

    select
        venue,
        kind,
        symbol,
        utc_hour,
        {{ nearest_minute('next_funding_ts') }} as settlement_ts

    from {{ ref('stg_perp_tickers') }}

    where next_funding_ts is not null and {{ in_window('utc_hour') }}

),

-- What is older proves nothing of this hour.
final as (

    select * from told

    where settlement_ts > {{ plus_days('utc_hour', '-' ~ var("funding_evidence_days")) }}

)

select * from final
