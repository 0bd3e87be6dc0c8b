{#-
    What share of an hour was seen: one cell a venue and dataset, a cell counts by the part of the hour that its
    captures span.
-#}

select
    utc_hour,
    {{ ordered_sum('case when is_usable then covered_frac else 0 end', 'venue, dataset') }} / count(*) as coverage_frac

from {{ ref('fct_data_coverage') }}

where {{ in_window('utc_hour') }}

group by utc_hour
