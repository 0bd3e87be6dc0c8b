{#- What each hour rests on: gate 1's verdict for every dataset of every venue that was asked. -#}

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
    first_captured_ts,
    last_captured_ts,
    covered_frac,
    status = 'ok' as is_usable

from {{ ref('stg_coverage') }}

where {{ in_window('utc_hour') }}
