{#-
    How one-sided the flow was by volume and not by time, in each hour, options apart.
    Formulas, signs and caveats: docs/metrics/flow.md#vpin
-#}

{%- set contract = ['venue', 'kind', 'symbol', 'utc_hour'] %}

with

hours as (

    select * from {{ ref('int_hourly_flows_gathered') }} where {{ in_window('utc_hour') }}

),

-- A row stands for all buckets since the one before it, which one trade filled.
filled as (

    select
        *,
        coalesce(
            bucket_index - lag(bucket_index) over (partition by {{ contract | join(', ') }} order by bucket_index), 1
        ) as alike_count

    from {{ ref('int_volume_buckets_filled') }}

    where {{ in_window('utc_hour') }}

),

buckets as (

    select
        {{ contract | join(', ') }},
        max(bucket_usd) as bucket_usd,
        cast(sum(alike_count) as bigint) as buckets_count,
        {{ value_at_max('vpin_frac', 'bucket_index') }} as vpin_last_frac,
        {{ ordered_sum('vpin_frac * alike_count', 'bucket_index') }}
        / nullif(sum(case when vpin_frac is not null then alike_count end), 0) as vpin_mean_frac,
        max(vpin_frac) as vpin_max_frac

    from filled

    group by {{ contract | join(', ') }}

),

final as (

    select
        hours.venue,
        hours.kind,
        hours.symbol,
        hours.utc_hour,
        hours.underlying,
        buckets.bucket_usd,
        coalesce(buckets.buckets_count, 0) as buckets_count,
        buckets.vpin_last_frac,
        buckets.vpin_mean_frac,
        buckets.vpin_max_frac

    from hours

    left join buckets on {{ matches('hours', 'buckets', contract) }}

)

select * from final
