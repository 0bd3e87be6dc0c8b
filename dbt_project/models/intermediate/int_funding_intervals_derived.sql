{#-
    The interval that each perpetual's running funding rate is for, hour by hour.
    Proven by consecutive settlements: the commonest of the newest four gaps, of equals the newest, if two agree.
    What the venue states stands where nothing is proven, where the running period itself is as stated (so that a change
    holds from its instant), and where no settlement is ever announced: there funding accrues, and the rate says per what.
    An hour rests on what was told by its end, so re-runs agree.
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

listed as (

    select
        {{ contract | join(', ') }},
        {{ value_at_max('funding_interval_s', 'valid_from_ts') }} as listed_interval_s

    from {{ ref('stg_instruments') }}

    where kind = 'perp' and {{ in_window('utc_hour') }}

    group by {{ contract | join(', ') }}

),

tickers as (

    select
        {{ contract | join(', ') }},
        {{ value_at_max('funding_interval_s', 'captured_ts') }} as ticker_interval_s,
        count(next_funding_ts) > 0 as is_announced

    from {{ ref('stg_perp_tickers') }}

    where {{ in_window('utc_hour') }}

    group by {{ contract | join(', ') }}

),

-- All that any hour of this run can rest on.
gathered as (

    select * from {{ ref('int_funding_settlements_gathered') }}

    where
        settlement_ts > {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", '-' ~ var("funding_evidence_days")) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

settlements as (

    select distinct
        listed.venue,
        listed.kind,
        listed.symbol,
        listed.utc_hour,
        gathered.settlement_ts

    from listed

    inner join gathered
        on {{ matches('listed', 'gathered', ['venue', 'kind', 'symbol']) }}
        and gathered.utc_hour <= listed.utc_hour
        and gathered.settlement_ts > {{ plus_days('listed.utc_hour', '-' ~ var("funding_evidence_days")) }}

),

gaps as (

    select
        {{ contract | join(', ') }},
        settlement_ts,
        lag(settlement_ts) over successive <= utc_hour and settlement_ts > utc_hour as is_running,
        cast({{ epoch_s('settlement_ts') }} - {{ epoch_s('lag(settlement_ts) over successive') }} as bigint) as gap_s,
        row_number() over (partition by {{ contract | join(', ') }} order by settlement_ts desc) as recency_index

    from settlements

    window successive as (partition by {{ contract | join(', ') }} order by settlement_ts)

),

running as (

    select {{ contract | join(', ') }}, gap_s as running_interval_s from gaps where is_running

),

votes as (

    select
        {{ contract | join(', ') }},
        gap_s,
        count(*) as settlements_count,
        row_number() over (
            partition by {{ contract | join(', ') }} order by count(*) desc, max(settlement_ts) desc
        ) as preference_index

    from gaps

    where gap_s is not null and recency_index <= 4

    group by {{ contract | join(', ') }}, gap_s

),

judged as (

    select
        listed.venue,
        listed.kind,
        listed.symbol,
        listed.utc_hour,
        listed.listed_interval_s,
        tickers.ticker_interval_s,
        votes.settlements_count,
        votes.gap_s as proven_interval_s,
        coalesce(tickers.ticker_interval_s, listed.listed_interval_s) as stated_interval_s,
        running.running_interval_s,
        tickers.ticker_interval_s is not null and not tickers.is_announced as is_accruing

    from listed

    left join tickers on {{ matches('listed', 'tickers', contract) }}

    left join running on {{ matches('listed', 'running', contract) }}

    left join votes
        on {{ matches('listed', 'votes', contract) }}
        and votes.preference_index = 1
        and votes.settlements_count >= 2

),

decided as (

    select
        *,
        proven_interval_s is not null
        and not coalesce(is_accruing, false)
        and coalesce(proven_interval_s = stated_interval_s or running_interval_s <> stated_interval_s, true)
            as is_proven

    from judged

),

final as (

    select
        {{ contract | join(', ') }},
        case when is_proven then proven_interval_s else stated_interval_s end as funding_interval_s,
        case
            when is_proven then 'settlements'
            when ticker_interval_s is not null then 'ticker'
            when listed_interval_s is not null then 'listed'
        end as funding_interval_source,
        case when is_proven then settlements_count else 0 end as settlements_count

    from decided

)

select * from final
