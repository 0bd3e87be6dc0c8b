{#-
    Hasbrouck's (1995) bounds of the information share of each series against each that trades more: who makes the price that
    both share. A vector error correction model of the two log mids by the second, whose difference is the error, with a fixed
    number of lags, by least squares. Its moments are whole numbers, so their sums are the same in any order; regressors are
    taken out of all that follow them one by one, which is Gaussian elimination.
    Formulas and caveats: docs/metrics/flow.md#lead-and-lag
-#}

{%- set pair = ['venue', 'kind', 'symbol', 'reference_venue', 'reference_kind', 'reference_symbol', 'utc_hour'] %}
{%- set own = ['venue', 'kind', 'symbol', 'utc_hour'] %}
{%- set lags = var("information_lags") %}
{#- The error last, so that the lags are out of it when its coefficients are read. -#}
{%- set values = [] %}
{%- for lag in range(1, lags + 1) %}{% do values.append('move_lag' ~ lag) %}{% do values.append('reference_move_lag' ~ lag) %}{% endfor %}
{%- do values.append('gap') %}
{%- set error = values | length - 1 %}
{%- do values.extend(['move', 'reference_move']) %}
{%- set last = values | length %}
{%- set successive = "partition by " ~ pair | join(', ') ~ " order by second_ts" %}

with

chosen as (

    select
        {{ own | join(', ') }},
        underlying,
        volume_rank

    from {{ ref('int_second_prices_sampled') }}

    group by {{ own | join(', ') }}, underlying, volume_rank

),

-- The last mid of each second, in billionths of its logarithm.
mids as (

    select
        chosen.*,
        {{ second_start('mids.captured_ts') }} as second_ts,
        cast(round(1e9 * ln({{ value_at_max('mids.mid_px', 'mids.captured_ts') }})) as bigint) as level

    from {{ ref('int_mids_observed') }} as mids

    inner join chosen on {{ matches('mids', 'chosen', own) }}

    where {{ in_window('mids.utc_hour') }}

    group by all

),

paired as (

    select
        mids.venue,
        mids.kind,
        mids.symbol,
        others.venue as reference_venue,
        others.kind as reference_kind,
        others.symbol as reference_symbol,
        mids.utc_hour,
        mids.second_ts,
        mids.level,
        others.level as reference_level

    from mids

    inner join mids as others
        on {{ matches('mids', 'others', ['underlying', 'utc_hour', 'second_ts']) }}
        and mids.volume_rank > others.volume_rank

),

moves as (

    select
        {{ pair | join(', ') }},
        second_ts,
        level - lag(level) over ({{ successive }}) as move,
        reference_level - lag(reference_level) over ({{ successive }}) as reference_move,
        -- Counted from the hour's first, lest squares of a lasting difference drown its changes.
        lag(level - reference_level) over ({{ successive }})
        - first_value(level - reference_level) over ({{ successive }}) as gap,
        {{ epoch_s('second_ts') }} - lag({{ epoch_s('second_ts') }}) over ({{ successive }}) as step_s

    from paired

),

lagged as (

    select
        {{ pair | join(', ') }},
        {%- for lag in range(1, lags + 1) %}
        lag(move, {{ lag }}) over ({{ successive }}) as move_lag{{ lag }},
        lag(reference_move, {{ lag }}) over ({{ successive }}) as reference_move_lag{{ lag }},
        {%- endfor %}
        gap,
        move,
        reference_move,
        lag(move, {{ lags }}) over ({{ successive }}) as oldest_move,
        max(step_s) over ({{ successive }} rows between {{ lags }} preceding and current row) as widest_step_s

    from moves

),

-- Sums of squares and products, about the means.
moments as (

    select
        {{ pair | join(', ') }},
        count(*) as mids_count,
        {%- for i in range(last) %}
        {%- for j in range(i, last) %}
        cast(sum({{ values[i] }} * {{ values[j] }}) as double)
        - cast(sum({{ values[i] }}) as double) * cast(sum({{ values[j] }}) as double) / count(*) as m_{{ i }}_{{ j }}
        {{- "," if not (loop.last and i == last - 1) }}
        {%- endfor %}
        {%- endfor %}

    from lagged

    where oldest_move is not null and widest_step_s <= {{ var("max_mid_age_s") }}

    group by {{ pair | join(', ') }}

),

-- Correlations, so that one measure says of every regressor what is left of it.
swept_0 as (

    select
        {{ pair | join(', ') }},
        mids_count,
        sqrt(m_{{ last - 2 }}_{{ last - 2 }}) as move_size,
        sqrt(m_{{ last - 1 }}_{{ last - 1 }}) as reference_move_size,
        {%- for i in range(last) %}
        {%- for j in range(i, last) %}
        m_{{ i }}_{{ j }} / nullif(sqrt(m_{{ i }}_{{ i }}) * sqrt(m_{{ j }}_{{ j }}), 0) as m_{{ i }}_{{ j }}
        {{- "," if not (loop.last and i == last - 1) }}
        {%- endfor %}
        {%- endfor %}

    from moments

    where mids_count >= {{ var("information_mids_needed") }}

),

-- Where nothing is left of a regressor the two prices are one, or one is the other some seconds later.
{% for k in range(error) -%}
swept_{{ k + 1 }} as (

    select
        {{ pair | join(', ') }},
        mids_count,
        move_size,
        reference_move_size,
        {%- for i in range(k + 1, last) %}
        {%- for j in range(i, last) %}
        m_{{ i }}_{{ j }} - m_{{ k }}_{{ i }} * m_{{ k }}_{{ j }} / m_{{ k }}_{{ k }} as m_{{ i }}_{{ j }}
        {{- "," if not (loop.last and i == last - 1) }}
        {%- endfor %}
        {%- endfor %}

    from swept_{{ k }}

    where m_{{ k }}_{{ k }} > 1e-6

),

{% endfor -%}
-- How each corrects the error, and what is left that nothing before explains.
explained as (

    select
        {{ pair | join(', ') }},
        mids_count,
        move_size,
        reference_move_size,
        {%- for name, i, j in [
            ('unexplained_frac', last - 2, last - 2), ('reference_unexplained_frac', last - 1, last - 1),
            ('common_frac', last - 2, last - 1),
        ] %}
        m_{{ i }}_{{ j }} - m_{{ error }}_{{ i }} * m_{{ error }}_{{ j }} / m_{{ error }}_{{ error }} as {{ name }},
        {%- endfor %}
        m_{{ error }}_{{ last - 2 }} * move_size as correction,
        m_{{ error }}_{{ last - 1 }} * reference_move_size as reference_correction

    from swept_{{ error }}

    where m_{{ error }}_{{ error }} > 1e-6

),

fitted as (

    select
        {{ pair | join(', ') }},
        mids_count,
        unexplained_frac,
        reference_unexplained_frac,
        correction,
        reference_correction,
        move_size * move_size * unexplained_frac as variance,
        reference_move_size * reference_move_size * reference_unexplained_frac as reference_variance,
        move_size * reference_move_size * common_frac as covariance

    from explained

),

-- A surprise of one moves what both share by how much the other corrects: Gonzalo and Granger's weights. What the two
-- surprises have in common counts for the series where it comes first, and not where it comes last.
shares as (

    select
        {{ pair | join(', ') }},
        mids_count,
        1 - correction * correction * (reference_variance - covariance * covariance / variance) / total_variance as first_frac,
        reference_correction * reference_correction * (variance - covariance * covariance / reference_variance)
        / total_variance as last_frac

    from (
        select
            *,
            reference_correction * reference_correction * variance
            - 2 * reference_correction * correction * covariance
            + correction * correction * reference_variance as total_variance

        from fitted

        where unexplained_frac > 1e-6 and reference_unexplained_frac > 1e-6
    ) as surprised

    where total_variance > 0

),

final as (

    select
        {{ pair | join(', ') }},
        mids_count,
        least(first_frac, last_frac) as information_share_lower_frac,
        greatest(first_frac, last_frac) as information_share_upper_frac

    from shares

)

select * from final
