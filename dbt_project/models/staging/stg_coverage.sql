{#- Gate 1's verdict on each hour of each venue's datasets. -#}

select
    venue,
    dataset,
    utc_hour,
    status,
    broken_rules,
    reason,
    rows_count,
    rejected_count,
    refused_count,
    objects_count,
    captures_count,
    covered_frac,
    first_captured_ts,
    last_captured_ts

from {{ source('lake', 'coverage') }}
