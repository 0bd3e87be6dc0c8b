{#- The hours of the days that a run builds and that are over: an open day has no row. -#}
{% macro in_closed_days(hour) -%}
    {{ in_window_days(date_of(hour)) }}
    and cast({{ date_of(hour) }} as timestamptz) + interval '1 day' <= cast('{{ var("closed_before") }}' as timestamptz)
{%- endmacro %}

{#- How many of a day's hours have a row, and what share of the day they cover; an hour without a row covers nothing. -#}
{% macro day_rests_on() -%}
    count(*) as hours_count,
    {{ ordered_sum('coverage_frac', 'utc_hour') }} / 24 as coverage_frac,
    {{ grade(ordered_sum('coverage_frac', 'utc_hour') ~ ' / 24') }} as quality_grade
{%- endmacro %}
