{#-
    Which way option holders are placed: open interest and the day's volume of calls and puts, per expiry and in total.
    Formulas, signs and caveats: docs/metrics.md#options-positioning
-#}

{%- set slice = ['venue', 'underlying', 'utc_hour', 'captured_ts', 'expiry_ts'] %}
{%- set summands = {
    'oi_base': 'open_interest_base',
    'gamma_exposure_usd': 'gamma_exposure_usd',
    'gamma_oi_base': 'case when gamma_exposure_usd is null then 0.0 else open_interest_base end',
} %}
{%- for type in ['call', 'put'] %}
{%- do summands.update({
    type ~ '_oi_base': "case when option_type = '" ~ type ~ "' then open_interest_base end",
    type ~ '_volume_base': "case when option_type = '" ~ type ~ "' then volume_24h_base end",
    type ~ '_gamma_usd': "case when option_type = '" ~ type ~ "' then gamma_exposure_usd end",
}) %}
{%- endfor %}

with

contracts as (

    select * from {{ ref('int_option_positions_valued') }} where {{ in_window('utc_hour') }}

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

gathered as (

    {% for expiry in ['expiry_ts', 'cast(null as timestamptz)'] -%}
    select
        venue,
        underlying,
        {{ expiry }} as expiry_ts,
        utc_hour,
        captured_ts,
        count(*) as contracts_count,
        {{ rows_in_order('symbol', summands) }} as in_order

    from contracts

    group by venue, underlying, utc_hour, captured_ts{{ ", expiry_ts" if loop.first }}

    {{ "union all" if not loop.last }}

    {% endfor %}

),

totals as (

    select
        venue,
        underlying,
        expiry_ts,
        utc_hour,
        captured_ts,
        contracts_count,
        {%- for name in summands %}
        {{ sum_of_rows('in_order', name) }} as {{ name }}{{ "," if not loop.last }}
        {%- endfor %}

    from gathered

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
        least_pains.max_pain_px,
        totals.gamma_exposure_usd,
        coalesce(totals.call_gamma_usd - totals.put_gamma_usd, totals.call_gamma_usd, -totals.put_gamma_usd)
            as gamma_if_dealers_long_calls_short_puts_usd,
        -totals.gamma_exposure_usd as gamma_if_dealers_short_all_usd,
        totals.gamma_oi_base / nullif(totals.oi_base, 0) as gamma_oi_share_frac

    from totals

    left join least_pains on {{ matches('totals', 'least_pains', slice) }}

)

select * from final
