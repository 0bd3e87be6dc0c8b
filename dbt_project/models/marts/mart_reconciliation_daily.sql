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
        abs(error_value) as distance,
        abs(stated_value) as stated_size

    from {{ ref('int_reconciliation_errors_gathered') }}

    where {{ in_hours_of_window_days('utc_hour') }}

),

final as (

    select
        utc_date,
        venue,
        metric,
        underlying,
        error_unit,
        count(*) as compared_count,
        count(distinct symbol) as instruments_count,
        {{ quantile_of('stated_size', 0.5) }} as stated_p50,
        {{ ordered_mean('error_value', 'kind, symbol, captured_ts, event_ts') }} as error_mean,
        {{ quantile_of('distance', 0.5) }} as error_p50,
        {{ quantile_of('distance', 0.95) }} as error_p95,
        max(distance) as error_max,
        {{ ordered_mean('impact_premiums_share_frac', 'kind, symbol, captured_ts') }} as impact_premiums_share_frac,
        max(definition_version) as definition_version

    from errors

    where cast(utc_date as timestamptz) + interval '1 day' <= cast('{{ var("closed_before") }}' as timestamptz)

    group by utc_date, venue, metric, underlying, error_unit

)

select * from final
