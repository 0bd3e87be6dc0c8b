{#-
    The newest running funding rate of each perpetual in each hour, with the interval that it is for and the open interest
    that pays it: newest at or before the rate, in dollars as stated, else coin times mark where the quote is at par.
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

ranked as (

    select
        *,
        row_number() over (partition by {{ contract | join(', ') }} order by captured_ts desc, funding_rate) as recency_index

    from {{ ref('stg_perp_tickers') }}

    where funding_rate is not null and {{ in_window('utc_hour') }}

),

running as (

    select * from ranked where recency_index = 1

),

intervals as (

    select * from {{ ref('int_funding_intervals_derived') }} where {{ in_window('utc_hour') }}

),

interest as (

    select
        {{ contract | join(', ') }},
        captured_ts as interest_captured_ts,
        max(open_interest_usd) as stated_usd,
        max(open_interest_base) as stated_base

    from {{ ref('stg_open_interest') }}

    where kind = 'perp' and {{ in_window('utc_hour') }}

    group by {{ contract | join(', ') }}, captured_ts

),

with_interest as (

    select
        running.*,
        interest.stated_usd,
        interest.stated_base,
        {{ epoch_s('running.captured_ts') }} - {{ epoch_s('interest.interest_captured_ts') }} as interest_age_s

    from running

    {{ last_known_join('running', 'interest', contract, 'captured_ts', 'interest_captured_ts') }}

),

final as (

    select
        with_interest.venue,
        with_interest.kind,
        with_interest.symbol,
        with_interest.utc_hour,
        with_interest.underlying,
        with_interest.quote_asset,
        with_interest.funding_rate,
        intervals.funding_interval_s,
        intervals.funding_interval_source,
        {{ per_hour('with_interest.funding_rate', 'intervals.funding_interval_s') }} as rate_per_hour,
        case
            when with_interest.interest_age_s <= {{ var("max_open_interest_age_s") }}
                then coalesce(
                    with_interest.stated_usd,
                    case
                        when {{ is_at_par('with_interest.quote_asset') }}
                            then with_interest.stated_base * with_interest.mark_px
                    end
                )
        end as open_interest_usd,
        with_interest.mark_px,
        with_interest.index_px,
        with_interest.next_funding_ts,
        with_interest.captured_ts

    from with_interest

    left join intervals on {{ matches('with_interest', 'intervals', contract) }}

)

select * from final
