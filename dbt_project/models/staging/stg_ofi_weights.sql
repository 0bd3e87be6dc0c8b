{#- What each level counts for in an instrument's order flow of the hour: `ingestion/estimators/ofi_weights.py`. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    bars_count,
    explained_frac,
    {% for level in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] -%}
    l{{ level }}_weight{{ "," if not loop.last }}
    {% endfor %}

from {{ source('lake', 'ofi_weights') }}
