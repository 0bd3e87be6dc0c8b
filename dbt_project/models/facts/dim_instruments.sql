{#- The terms that each hour's numbers were computed with. -#}

select * from {{ ref('stg_instruments') }}

where {{ in_window('utc_hour') }}
