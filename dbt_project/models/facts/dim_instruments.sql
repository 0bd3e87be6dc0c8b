{#- The terms that each hour's numbers were computed with, change by change. -#}

select * from {{ ref('stg_instruments') }}

where {{ in_window('utc_hour') }}
