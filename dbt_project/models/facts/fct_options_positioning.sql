{#-
    Which way option holders are placed: open interest and the day's volume of calls and puts, per expiry and in total.
    Formulas, signs and caveats: docs/metrics.md#options-positioning
-#}

{%- set slice = ['venue', 'underlying', 'utc_hour', 'captured_ts', 'expiry_ts'] %}

with

observed as (

    select
        venue,
        symbol,
        underlying,
        utc_hour,
        captured_ts,
        expiry_ts,
        strike_px,
        option_type,
        max(open_interest_base) as open_interest_base

    from {{ ref('stg_open_interest') }}

    where kind = 'option' and expiry_ts > captured_ts and {{ in_window('utc_hour') }}

    group by venue, symbol, underlying, utc_hour, captured_ts, expiry_ts, strike_px, option_type

),

-- A venue may tell its options in several replies, one a currency or an expiry: those that follow each other closely
-- are one look, of the instant when it was whole.
paced as (

    select
        *,
        case
            when {{ epoch_s('captured_ts') }} - lag({{ epoch_s('captured_ts') }}) over (
                partition by venue, underlying, utc_hour order by captured_ts
            ) > {{ var("max_gap_in_sweep_s") }} then 1
            else 0
        end as is_next_sweep

    from observed

),

numbered as (

    select
        *,
        sum(is_next_sweep) over (partition by venue, underlying, utc_hour order by captured_ts) as sweep

    from paced

),

swept as (

    select
        *,
        max(captured_ts) over (partition by venue, underlying, utc_hour, sweep) as swept_ts,
        row_number() over (
            partition by venue, symbol, utc_hour, sweep order by captured_ts desc
        ) as newest_first

    from numbered

),

interest as (

    select
        venue,
        symbol,
        underlying,
        utc_hour,
        expiry_ts,
        strike_px,
        option_type,
        open_interest_base,
        swept_ts as captured_ts

    from swept

    where newest_first = 1

),

volumes as (

    select
        venue,
        symbol,
        utc_hour,
        captured_ts as volume_captured_ts,
        max(volume_24h_base) as volume_24h_base

    from {{ ref('stg_option_quotes') }}

    where volume_24h_base is not null and {{ in_window('utc_hour') }}

    group by venue, symbol, utc_hour, captured_ts

),

-- A venue may tell open interest and volume in two replies: the newest volume at or before the open interest.
contracts as (

    select
        interest.*,
        case
            when {{ epoch_s('interest.captured_ts') }} - {{ epoch_s('volumes.volume_captured_ts') }}
                <= {{ var("max_open_interest_age_s") }}
                then volumes.volume_24h_base
        end as volume_24h_base

    from interest

    {{ last_known_join(
        'interest', 'volumes', ['venue', 'symbol', 'utc_hour'], 'captured_ts', 'volume_captured_ts'
    ) }}

),

-- What each strike would pay if the expiry settled there: calls struck below and puts struck above, by running sums.
strikes as (

    select
        {{ slice | join(', ') }},
        strike_px,
        coalesce(sum(case when option_type = 'call' then open_interest_base end), 0) as call_oi_base,
        coalesce(sum(case when option_type = 'put' then open_interest_base end), 0) as put_oi_base

    from contracts

    group by {{ slice | join(', ') }}, strike_px

),

pains as (

    select
        {{ slice | join(', ') }},
        strike_px as settlement_px,
        strike_px * sum(call_oi_base) over upward - sum(call_oi_base * strike_px) over upward
        + sum(put_oi_base * strike_px) over downward - strike_px * sum(put_oi_base) over downward as pain

    from strikes

    window
        upward as (partition by {{ slice | join(', ') }} order by strike_px),
        downward as (partition by {{ slice | join(', ') }} order by strike_px desc)

),

-- The least pain; of equals (to rounding), the lowest strike. Where nothing is open there is no pain to speak of.
least_pains as (

    select
        {{ slice | join(', ') }},
        min(settlement_px) as max_pain_px

    from (
        select
            *,
            min(pain) over (partition by {{ slice | join(', ') }}) as least_pain,
            max(pain) over (partition by {{ slice | join(', ') }}) as most_pain

        from pains
    ) as compared

    where pain <= least_pain + 1e-12 * most_pain and most_pain > 0

    group by {{ slice | join(', ') }}

),

totals as (

    {% for expiry in ['expiry_ts', 'cast(null as timestamptz)'] -%}
    select
        venue,
        underlying,
        {{ expiry }} as expiry_ts,
        utc_hour,
        captured_ts,
        {%- for type in ['call', 'put'] %}
        {{ ordered_sum("case when option_type = '" ~ type ~ "' then open_interest_base end", 'symbol') }}
            as {{ type }}_oi_base,
        {{ ordered_sum("case when option_type = '" ~ type ~ "' then volume_24h_base end", 'symbol') }}
            as {{ type }}_volume_base,
        {%- endfor %}
        count(*) as contracts_count

    from contracts

    group by venue, underlying, utc_hour, captured_ts{{ ", expiry_ts" if loop.first }}

    {{ "union all" if not loop.last }}

    {% endfor %}

),

final as (

    select
        totals.venue,
        totals.underlying,
        totals.expiry_ts,
        totals.utc_hour,
        totals.captured_ts,
        totals.contracts_count,
        totals.call_oi_base,
        totals.put_oi_base,
        totals.put_oi_base / nullif(totals.call_oi_base, 0) as put_call_oi_frac,
        {{ imbalance('totals.call_oi_base', 'totals.put_oi_base') }} as oi_imbalance_frac,
        totals.call_volume_base,
        totals.put_volume_base,
        totals.put_volume_base / nullif(totals.call_volume_base, 0) as put_call_volume_frac,
        {{ imbalance('totals.call_volume_base', 'totals.put_volume_base') }} as volume_imbalance_frac,
        least_pains.max_pain_px

    from totals

    left join least_pains on {{ matches('totals', 'least_pains', slice) }}

)

select * from final
