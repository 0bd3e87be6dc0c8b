{{ config(materialized='view') }}

{#- Each side's depth near mid beside what it was one snapshot before, within the hour. -#}

with

depths as (

    {% for side in ('bid', 'ask') -%}
    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        captured_ts,
        '{{ side }}' as book_side,
        {{ side }}_depth_10bps_usd as depth_usd

    from {{ ref('fct_order_book_imbalance') }}

    where {{ side }}_depth_10bps_usd is not null and {{ in_window('utc_hour') }}
    {{ "union all" if not loop.last }}
    {% endfor %}

),

final as (

    select
        *,
        lag(depth_usd) over successive as earlier_depth_usd,
        lag(captured_ts) over successive as earlier_captured_ts,
        max(captured_ts) over (partition by venue, kind, symbol, book_side, utc_hour) as last_captured_ts

    from depths

    window successive as (partition by venue, kind, symbol, book_side, utc_hour order by captured_ts)

)

select * from final
