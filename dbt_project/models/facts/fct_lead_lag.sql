{#-
    Which of two series of one coin moves first: Hayashi-Yoshida correlation of trade prices over a grid of
    lags, and Hasbrouck's bounds of how much of the price that they share each of them makes.
    Formulas, signs and caveats: docs/metrics/flow.md#lead-and-lag
-#}

{%- set pair = ['venue', 'kind', 'symbol', 'reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour'] %}

with

series as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        min(event_ts) as first_ts,
        max(event_ts) as last_ts,
        count(previous_log_px) as moves_count,
        {{ ordered_sum('(log_px - previous_log_px) * (log_px - previous_log_px)', 'event_ts') }} as variance

    from {{ ref('int_second_prices_sampled') }}

    where {{ in_window('utc_hour') }}

    group by venue, kind, symbol, utc_hour

),

reference_series as (

    select
        venue as reference_venue,
        kind as reference_kind,
        symbol as reference_symbol,
        utc_hour,
        first_ts,
        last_ts,
        moves_count,
        variance

    from series

),

covariances as (

    select * from {{ ref('int_lagged_covariances_summed') }} where {{ in_window('utc_hour') }}

),

-- Series that never traded at one time, the first put later by the lag, say nothing of each other: a sum of nothing is no zero.
overlapping as (

    select
        covariances.*,
        series.moves_count,
        series.variance,
        reference_series.moves_count as reference_moves_count,
        reference_series.variance as reference_variance,
        {{ epoch_s('series.first_ts') }} + covariances.lag_ms / 1000.0 < {{ epoch_s('reference_series.last_ts') }}
        and {{ epoch_s('reference_series.first_ts') }} < {{ epoch_s('series.last_ts') }} + covariances.lag_ms / 1000.0
            as is_overlapping

    from covariances

    inner join series on {{ matches('covariances', 'series', ['venue', 'kind', 'symbol', 'utc_hour']) }}

    inner join reference_series
        on {{ matches(
            'covariances', 'reference_series', ['reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour']
        ) }}

),

correlations as (

    select
        *,
        case
            when is_overlapping and least(moves_count, reference_moves_count) >= {{ var("moves_needed") }}
                then covariance / nullif(sqrt(variance * reference_variance), 0)
        end as correlation

    from overlapping

),

-- Of equal correlations the shortest lag says most.
ranked as (

    select
        *,
        row_number() over (
            partition by {{ pair | join(', ') }} order by abs(correlation) desc, abs(lag_ms), lag_ms desc
        ) as correlation_rank

    from correlations

),

measured as (

    select
        {{ pair | join(', ') }},
        underlying,
        moves_count,
        reference_moves_count,
        max(case when lag_ms = 0 and is_overlapping then covariance end) as hy_covariance_frac,
        max(case when lag_ms = 0 then correlation end) as hy_correlation_frac,
        max(case when correlation_rank = 1 then correlation end) as best_correlation_frac,
        max(case when correlation_rank = 1 and correlation is not null then lag_ms / 1000.0 end) as lead_s,
        {{ ordered_sum('case when lag_ms > 0 then correlation * correlation end', 'lag_ms') }}
        / nullif({{ ordered_sum('case when lag_ms < 0 then correlation * correlation end', 'lag_ms') }}, 0)
            as lead_lag_ratio_frac

    from ranked

    group by {{ pair | join(', ') }}, underlying, moves_count, reference_moves_count

),

information as (

    select * from {{ ref('int_information_shares_bounded') }} where {{ in_window('utc_hour') }}

),

final as (

    select
        measured.*,
        information.mids_count,
        information.information_share_lower_frac,
        information.information_share_upper_frac

    from measured

    left join information on {{ matches('measured', 'information', pair) }}

)

select * from final
