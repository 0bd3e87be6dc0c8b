{#- Stretches in which a stream told nothing that can be trusted, cut at the end of the hour. -#}

select
    venue,
    kind,
    symbol,
    utc_hour,
    dataset,
    reason,
    missed_from_id,
    missed_to_id,
    captured_ts as hole_from_ts,
    coalesce(until_ts, {{ hour_end('utc_hour') }}) as hole_to_ts,
    until_ts is not null as is_mended

from {{ source('lake', 'stream_holes') }}
