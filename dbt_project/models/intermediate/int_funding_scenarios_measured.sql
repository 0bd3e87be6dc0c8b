{#-
    How each perpetual paid over the weeks before the end of each hour: the sum, and the low, middle and high of its rates.
    An hour rests on what was told by its end, so re-runs agree.
-#}

with

running as (

    select * from {{ ref('int_funding_rates_observed') }} where {{ in_window('utc_hour') }}

),

gathered as (

    select * from {{ ref('int_funding_payments_gathered') }}

    where
        rate_per_hour is not null
        and utc_hour >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", '-' ~ var("funding_history_days")) }}
        and utc_hour < cast('{{ var("to_hour") }}' as timestamptz)

),

-- Venues tell a payment again for days: the newest word on it by the hour stands. Its interval is the newest that a reply
-- said or showed by the payment before; else the one in force at its first telling, and not what the venue pays by since.
tellings as (

    select
        running.venue,
        running.kind,
        running.symbol,
        running.utc_hour,
        gathered.settlement_ts,
        {{ value_at_max('gathered.funding_rate', 'gathered.utc_hour') }} as funding_rate,
        {{ value_at_max(
            'gathered.funding_interval_s',
            'case when gathered.is_interval_own then 1 else -1 end * ' ~ epoch_s('gathered.utc_hour')
        ) }} as funding_interval_s

    from running

    inner join gathered
        on {{ matches('running', 'gathered', ['venue', 'kind', 'symbol']) }}
        and gathered.utc_hour <= running.utc_hour
        and gathered.utc_hour >= {{ plus_days('running.utc_hour', '-' ~ var("funding_history_days")) }}
        and gathered.settlement_ts > {{ plus_days('running.utc_hour', '-' ~ var("funding_history_days")) }}

    group by running.venue, running.kind, running.symbol, running.utc_hour, gathered.settlement_ts

),

payments as (

    select
        *,
        {{ per_hour('funding_rate', 'funding_interval_s') }} as rate_per_hour

    from tellings

),

measured as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        count(*) as payments_count,
        min(settlement_ts) as first_settlement_ts,
        {{ ordered_sum('funding_rate', 'settlement_ts') }} as settled_frac,
        {{ quantile_of('rate_per_hour', 0.1) }} as low_rate_per_hour,
        {{ quantile_of('rate_per_hour', 0.5) }} as middle_rate_per_hour,
        {{ quantile_of('rate_per_hour', 0.9) }} as high_rate_per_hour

    from payments

    group by venue, kind, symbol, utc_hour

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        payments_count,
        first_settlement_ts,
        settled_frac,
        {% for scenario in ('low', 'middle', 'high') -%}
        case when payments_count >= {{ var("min_funding_payments") }} then {{ scenario }}_rate_per_hour end
            as {{ scenario }}_rate_per_hour{{ "," if not loop.last }}
        {% endfor %}

    from measured

)

select * from final
