{#- The micro-price's distance from mid in each state of the touch: `ingestion/estimators/micro_prices.py`. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    imbalance_bucket,
    spread_ticks,
    tick_size_px,
    adjustment_px,
    steps_count,
    moves_count

from {{ source('lake', 'micro_prices') }}
