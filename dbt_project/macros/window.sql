{#- The rows that this run builds: `column` is an instant of partition grain. -#}
{% macro in_window(column) -%}
    {{ column }} >= cast('{{ var("from_hour") }}' as timestamptz)
    and {{ column }} < cast('{{ var("to_hour") }}' as timestamptz)
{%- endmacro %}

{#- The same for a UTC date: the days that the window touches. -#}
{% macro in_window_days(column) -%}
    {{ column }} >= cast(cast('{{ var("from_hour") }}' as timestamptz) as date)
    and {{ column }} < cast(cast('{{ var("to_hour") }}' as timestamptz) + interval '23 hours 59 minutes' as date)
{%- endmacro %}

{#- All hours of those days, by the hour itself, so that history is not read for it. -#}
{% macro in_hours_of_window_days(column) -%}
    {{ column }} >= date_trunc('day', cast('{{ var("from_hour") }}' as timestamptz))
    and {{ column }} < date_trunc('day', cast('{{ var("to_hour") }}' as timestamptz) + interval '23 hours 59 minutes')
{%- endmacro %}

{#-
    Replace the window: delete its rows, insert what the model gives now.
    dbt's delete+insert would keep the rows of an hour that has become empty.
    A model says by `meta.window_predicate` which rows its window covers, if not its utc_hour.
-#}
{% macro get_incremental_window_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    {%- set grain = config.get("meta", {}).get("partition", "utc_hour") -%}
    delete from {{ target }}
    where
        {%- if grain == "incoming" %} exists (
            select 1 from {{ arg_dict["temp_relation"] }} as incoming
            where {{ matches(target, "incoming", config.get("meta")["key"]) }}
        )
        {%- else %} {{ in_partitions(grain) }}
        {%- endif %};
    insert into {{ target }} ({{ columns }}) (select {{ columns }} from {{ arg_dict["temp_relation"] }});
{%- endmacro %}

{#- The rows of a model that a run replaces, by the grain of its partitions. -#}
{% macro in_partitions(grain) -%}
    {%- if grain == "utc_date" %}{{ in_window_days("utc_date") }}
    {%- elif grain == "matured" %}{{ in_matured_window("utc_hour") }}
    {%- elif grain == "incoming" %}true
    {%- else %}{{ in_window("utc_hour") }}
    {%- endif %}
{%- endmacro %}

{#- Equality on each of `columns`. -#}
{% macro matches(left, right, columns) -%}
    {%- for column in columns -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ " and " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#-
    The window, and the windows one tenor earlier: an hour's forward realised volatility is known only a tenor later,
    so building an hour also completes the hours that mature with it.
-#}
{% macro in_matured_window(column) -%}
    (({{ in_window(column) }})
    {%- for days in tenors() %}
    or ({{ column }} >= cast('{{ var("from_hour") }}' as timestamptz) - interval '{{ days }} days'
        and {{ column }} < cast('{{ var("to_hour") }}' as timestamptz) - interval '{{ days }} days')
    {%- endfor %})
{%- endmacro %}

{% macro tenors() -%}{{ return([7, 30, 60, 90]) }}{%- endmacro %}
