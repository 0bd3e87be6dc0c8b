{{ config(meta={"partition": "utc_date"}, tags=["daily"]) }}

{#-
    How near our own numbers come to the venues' published ones, over a closed UTC day. A venue that changes its formula shows here.
    Formulas, signs and caveats: docs/metrics/carry.md#reconciliation
-#}

with

errors as (

    select
        *,
        {{ date_of('utc_hour') }} as utc_date,
        abs(error_bps) as distance_bps

    from {{ ref('int_reconciliation_errors_gathered') }}

    where {{ in_hours_of_window_days('utc_hour') }}

),

final as (

    select
        utc_date,
        venue,
        metric,
        underlying,
        count(*) as compared_count,
        count(distinct symbol) as instruments_count,
        {{ ordered_mean('error_bps', 'kind, symbol, captured_ts') }} as error_mean_bps,
        {{ quantile_of('distance_bps', 0.5) }} as error_p50_bps,
        {{ quantile_of('distance_bps', 0.95) }} as error_p95_bps,
        max(distance_bps) as error_max_bps,
        max(definition_version) as definition_version

    from errors

    where cast(utc_date as timestamptz) + interval '1 day' <= cast('{{ var("closed_before") }}' as timestamptz)

    group by utc_date, venue, metric, underlying

)

select * from final
