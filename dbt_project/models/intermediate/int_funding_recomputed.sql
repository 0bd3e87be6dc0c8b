{#-
    Each running funding rate beside what its venue's formula makes of the premiums that were seen. Where they were not seen
    through the whole window that the venue averages, there is nothing to compare.
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

published as (

    select
        rates.*,
        formulas.premium_source,
        formulas.averaging,
        formulas.interest_8h_frac,
        formulas.clamp_8h_frac,
        formulas.damper_8h_frac,
        formulas.definition_version,
        coalesce(limits.cap_frac, other_limits.cap_frac) as cap_frac,
        case
            when formulas.averaging_window = 'period'
                then {{ epoch_s('rates.next_funding_ts') }} - rates.funding_interval_s
            when formulas.averaging_window = 'trailing' then {{ epoch_s('rates.captured_ts') }} - rates.funding_interval_s
            when formulas.averaging_window = 'hour' then {{ epoch_s('rates.utc_hour') }}
        end as window_start_s

    from {{ ref('int_funding_rates_observed') }} as rates

    {{ in_force_join('funding_formulas', 'formulas', 'rates.captured_ts', 'rates.venue = formulas.venue') }}

    {{ funding_limits_joins('rates', 'rates.captured_ts') }}

    where {{ in_window('rates.utc_hour') }} and formulas.averaging is not null

),

-- No venue pays less often than daily, so a day before the window holds all that it averages.
premiums as (

    select * from {{ ref('int_premiums_gathered') }}

    where
        utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", '-1') }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

seen as (

    select
        published.venue,
        published.kind,
        published.symbol,
        published.utc_hour,
        published.captured_ts,
        premiums.minute_ts,
        case
            when published.premium_source = 'impact' then coalesce(premiums.impact_premium_frac, premiums.premium_frac)
            else premiums.premium_frac
        end as premium_frac,
        case
            when published.premium_source = 'impact' then premiums.impact_premium_frac is not null
        end as is_at_impact,
        case
            when published.averaging = 'weighted'
                then floor(({{ epoch_s('premiums.minute_ts') }} - published.window_start_s) / 60) + 1
            else 1
        end as weight,
        {{ epoch_s('premiums.minute_ts') }} - coalesce(
            lag({{ epoch_s('premiums.minute_ts') }}) over (
                partition by
                    {% for column in contract -%}
                    published.{{ column }}{{ ", " if not loop.last }}
                    {%- endfor %}
                order by premiums.minute_ts
            ),
            published.window_start_s
        ) as gap_s

    from published

    inner join premiums
        on {{ matches('published', 'premiums', ['venue', 'kind', 'symbol']) }}
        and {{ epoch_s('premiums.minute_ts') }} >= published.window_start_s
        and premiums.minute_ts <= published.captured_ts

),

averaged as (

    select
        {{ contract | join(', ') }},
        {{ ordered_sum('weight * premium_frac', 'minute_ts') }} / {{ ordered_sum('weight', 'minute_ts') }} as premium_frac,
        greatest(max(gap_s), {{ epoch_s('max(captured_ts)') }} - {{ epoch_s('max(minute_ts)') }}) as widest_gap_s,
        count(case when is_at_impact then 1 end) * 1.0 / nullif(count(is_at_impact), 0) as impact_premiums_share_frac,
        count(*) as premiums_count

    from seen

    group by {{ contract | join(', ') }}

),

measured as (

    select
        published.*,
        averaged.premiums_count,
        averaged.impact_premiums_share_frac,
        case
            when published.averaging = 'instant' then (published.mark_px - published.index_px) / published.index_px
            when averaged.widest_gap_s <= {{ var("max_premium_gap_s") }} then averaged.premium_frac
        end as premium_frac

    from published

    left join averaged on {{ matches('published', 'averaged', contract) }}

),

uncapped as (

    select
        {{ contract | join(', ') }},
        underlying,
        captured_ts,
        funding_rate,
        premium_frac,
        coalesce(premiums_count, 1) as premiums_count,
        impact_premiums_share_frac,
        cap_frac,
        case
            when damper_8h_frac is not null then {{ damped_funding('premium_frac', 'damper_8h_frac') }}
            else {{ clamped_funding('premium_frac', 'interest_8h_frac', 'clamp_8h_frac') }}
        end * {{ of_eight_hours('funding_interval_s') }} as uncapped_rate,
        definition_version

    from measured

    where premium_frac is not null

),

final as (

    select
        {{ contract | join(', ') }},
        underlying,
        captured_ts,
        funding_rate,
        premium_frac,
        premiums_count,
        impact_premiums_share_frac,
        case
            when cap_frac is null then uncapped_rate
            else greatest(-cap_frac, least(cap_frac, uncapped_rate))
        end as recomputed_rate,
        definition_version

    from uncapped

)

select * from final
