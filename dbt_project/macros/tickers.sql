{#- A venue's tickers with what their instrument is; `own` are the columns that not every ticker has. -#}
{% macro staged_tickers(dataset, own=[]) -%}
with

tickers as (

    select * from {{ source('lake', dataset) }}

),

final as (

    select
        tickers.venue,
        tickers.kind,
        tickers.symbol,
        tickers.utc_hour,
        terms.underlying,
        terms.quote_asset,
        tickers.bid_px,
        tickers.ask_px,
        tickers.last_px,
        {%- for column in own %}
        {{ column }},
        {%- endfor %}
        tickers.event_ts,
        tickers.captured_ts

    from tickers

    {{ terms_join('tickers', 'captured_ts') }}

)

select * from final
{%- endmacro %}
