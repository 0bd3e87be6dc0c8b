{#-
    How much is open against what trades in a day, and whether the hour's move opened positions or closed them.
    Formulas, signs and caveats: docs/metrics/risk.md#leverage
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}

with

hours as (

    select * from {{ ref('int_open_interest_valued') }} where {{ in_window('utc_hour') }}

),

tickers as (

    select {{ instrument_hour }}, quote_asset, volume_24h_base, volume_24h_quote, captured_ts
    from {{ ref('stg_perp_tickers') }} where {{ in_window('utc_hour') }}
    union all
    select {{ instrument_hour }}, quote_asset, volume_24h_base, volume_24h_quote, captured_ts
    from {{ ref('stg_future_tickers') }} where {{ in_window('utc_hour') }}

),

volumes as (

    select
        *,
        row_number() over (
            partition by {{ instrument_hour }} order by captured_ts desc, volume_24h_base desc
        ) as newest_first

    from tickers

    where volume_24h_base is not null or volume_24h_quote is not null

),

with_volume as (

    select
        hours.*,
        coalesce(
            case when {{ is_at_par('volumes.quote_asset') }} then volumes.volume_24h_quote end,
            case when hours.is_in_dollars then volumes.volume_24h_base * hours.derivative_px end
        ) as volume_24h_usd

    from hours

    left join volumes
        on {{ matches('hours', 'volumes', ['venue', 'kind', 'symbol', 'utc_hour']) }}
        and volumes.newest_first = 1

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        underlying,
        derivative_px,
        open_interest_base,
        open_interest_usd,
        volume_24h_usd,
        open_interest_usd / nullif(volume_24h_usd, 0) as open_interest_to_volume_frac,
        change_span_s,
        open_interest_change_frac,
        -- What was opened or closed, at the newest price.
        open_interest_usd - open_interest_usd / nullif(1 + open_interest_change_frac, 0) as open_interest_change_usd,
        price_change_frac,
        case
            when price_change_frac > 0 and open_interest_change_frac > 0 then 'new_longs'
            when price_change_frac > 0 and open_interest_change_frac < 0 then 'short_covering'
            when price_change_frac < 0 and open_interest_change_frac > 0 then 'new_shorts'
            when price_change_frac < 0 and open_interest_change_frac < 0 then 'long_unwinding'
        end as positioning,
        captured_ts

    from with_volume

)

select * from final
