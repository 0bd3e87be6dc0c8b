{#-
    Variance without a model, per expiry and at 30 days, and the venue's own volatility index beside.
    Formulas and caveats: docs/metrics/implied-volatility.md#model-free-variance
-#}

{%- set look = ['venue', 'underlying', 'settle_asset', 'utc_hour', 'captured_ts'] %}

with

expiries as (

    select
        *,
        years_to_expiry * {{ days_per_year() }} as days_to_expiry,
        model_free_variance_ann * years_to_expiry as total_variance

    from {{ ref('int_model_free_variances_summed') }}

    where {{ in_window('utc_hour') }}

),

brackets as (

    select
        {{ look | join(', ') }},
        max(case when total_variance is not null and days_to_expiry <= {{ index_tenor_days() }} then days_to_expiry end)
            as near_days,
        min(case when total_variance is not null and days_to_expiry >= {{ index_tenor_days() }} then days_to_expiry end)
            as far_days

    from expiries

    group by {{ look | join(', ') }}

),

at_tenor as (

    select
        {%- for column in look %}
        brackets.{{ column }},
        {%- endfor %}
        {{ epoch_s('brackets.captured_ts') }} as captured_s,
        case
            when brackets.near_days = brackets.far_days then near.total_variance
            else
                near.total_variance + (far.total_variance - near.total_variance)
                * ({{ index_tenor_days() }} - brackets.near_days) / (brackets.far_days - brackets.near_days)
        end * {{ days_per_year() }} / {{ index_tenor_days() }} as model_free_variance_ann

    from brackets

    left join expiries as near
        on {{ matches('brackets', 'near', look) }} and brackets.near_days = near.days_to_expiry

    left join expiries as far
        on {{ matches('brackets', 'far', look) }} and brackets.far_days = far.days_to_expiry

),

-- A bar is known when it is over, by the venue's clock.
indices as (

    select
        venue,
        underlying,
        utc_hour,
        coalesce({{ epoch_s('event_ts') }} + interval_s, {{ epoch_s('event_ts') }}) as known_s,
        {{ value_at_min('close_iv_ann', 'coalesce(interval_s, 0)') }} as close_iv_ann

    from {{ ref('stg_volatility_indices') }}

    where {{ in_window('utc_hour') }}

    group by all

),

compared as (

    select
        at_tenor.*,
        case
            when at_tenor.captured_s - indices.known_s <= {{ var("max_volatility_index_age_s") }}
                then indices.close_iv_ann
        end as venue_index_ann

    from at_tenor

    {{ last_known_join('at_tenor', 'indices', ['venue', 'underlying', 'utc_hour'], 'captured_s', 'known_s') }}

),

told as (

    select
        {{ look | join(', ') }},
        expiry_ts,
        years_to_expiry,
        forward_px,
        centre_strike_px,
        lowest_strike_px,
        highest_strike_px,
        puts_count,
        calls_count,
        model_free_variance_ann,
        cast(null as double) as venue_index_ann

    from expiries

    union all

    select
        {{ look | join(', ') }},
        cast(null as timestamptz) as expiry_ts,
        {{ index_tenor_days() }} / {{ days_per_year() }} as years_to_expiry,
        cast(null as double) as forward_px,
        cast(null as double) as centre_strike_px,
        cast(null as double) as lowest_strike_px,
        cast(null as double) as highest_strike_px,
        cast(null as bigint) as puts_count,
        cast(null as bigint) as calls_count,
        model_free_variance_ann,
        venue_index_ann

    from compared

),

final as (

    select
        venue,
        underlying,
        settle_asset,
        expiry_ts,
        utc_hour,
        captured_ts,
        years_to_expiry,
        forward_px,
        centre_strike_px,
        lowest_strike_px,
        highest_strike_px,
        puts_count,
        calls_count,
        model_free_variance_ann,
        case when model_free_variance_ann >= 0 then sqrt(model_free_variance_ann) end as model_free_vol_ann,
        venue_index_ann,
        case when model_free_variance_ann >= 0 then sqrt(model_free_variance_ann) - venue_index_ann end
            as venue_index_gap_ann

    from told

)

select * from final
