{{ config(materialized="view") }}

{#- Two-sided mids of spot pairs, perpetuals and dated futures, in the currency that each is quoted in. -#}

select
    venue,
    'spot' as kind,
    symbol,
    utc_hour,
    underlying,
    quote_asset,
    captured_ts,
    mid_px

from {{ ref('int_spot_quotes') }}

union all

select
    venue,
    kind,
    symbol,
    utc_hour,
    underlying,
    quote_asset,
    captured_ts,
    derivative_px as mid_px

from {{ ref('int_derivative_quotes') }}

-- A mark is the venue's opinion and no quote.
where derivative_px_source = 'mid'
