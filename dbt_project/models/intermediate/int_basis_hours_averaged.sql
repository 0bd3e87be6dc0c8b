{#- Each contract once an hour: against its index where one was captured, else against spot. -#}

with

legs as (

    select
        *,
        -- An index is the first choice; of spot legs all count.
        dense_rank() over (
            partition by venue, kind, symbol, utc_hour order by case when reference_kind = 'index' then 0 else 1 end
        ) as choice_index

    from {{ ref('fct_basis') }}

    where {{ in_window('utc_hour') }}

),

final as (

    select
        underlying,
        utc_hour,
        venue,
        kind,
        symbol,
        min(case when choice_index = 1 then reference_kind end) as reference_kind,
        {{ ordered_mean('case when choice_index = 1 then basis_bps end', 'captured_ts, reference_venue, reference_symbol') }}
            as basis_bps,
        min(case when choice_index = 1 then basis_bps end) as lowest_basis_bps,
        max(case when choice_index = 1 then basis_bps end) as highest_basis_bps,
        {{ ordered_mean('case when choice_index = 1 then mark_basis_bps end', 'captured_ts, reference_venue, reference_symbol') }}
            as mark_basis_bps,
        {{ ordered_mean('case when choice_index = 1 then basis_simple_ann end', 'captured_ts, reference_venue, reference_symbol') }}
            as basis_simple_ann,
        min(days_to_expiry) as days_to_expiry,
        {{ ordered_mean('funding_rate_per_hour', 'captured_ts, reference_venue, reference_symbol') }}
            as funding_rate_per_hour,
        {{ ordered_mean('open_interest_usd', 'captured_ts, reference_venue, reference_symbol') }} as open_interest_usd,
        count(distinct case when choice_index = 1 then captured_ts end) as captures_count

    from legs

    group by underlying, utc_hour, venue, kind, symbol

)

select * from final
