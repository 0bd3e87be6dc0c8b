{#- Joins and fills along time: the last value known at an instant, never a later one. -#}

{#-
    Join clause: the newest row of `right` at or before `left_ts`, with equal `keys`.
    A left join, so a row that finds nothing stays.
-#}
{% macro last_known_join(left, right, keys, left_ts, right_ts) -%}
    {{ return(adapter.dispatch("last_known_join", "barograph")(left, right, keys, left_ts, right_ts)) }}
{%- endmacro %}
{% macro duckdb__last_known_join(left, right, keys, left_ts, right_ts) -%}
    asof left join {{ right }}
        on {{ matches(left, right, keys) }} and {{ left }}.{{ left_ts }} >= {{ right }}.{{ right_ts }}
{%- endmacro %}
{% macro spark__last_known_join(left, right, keys, left_ts, right_ts) -%}
    left join lateral (
        select * from {{ right }} as candidates
        where {{ matches(left, "candidates", keys) }} and candidates.{{ right_ts }} <= {{ left }}.{{ left_ts }}
        order by candidates.{{ right_ts }} desc limit 1
    ) as {{ right }}
{%- endmacro %}

{#- The last value that was not null, up to and with this row. -#}
{% macro carried(value, partition_by, order_by) -%}
    {{ return(adapter.dispatch("carried", "barograph")(value, partition_by, order_by)) }}
{%- endmacro %}
{% macro duckdb__carried(value, partition_by, order_by) -%}
    last_value({{ value }} ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }} rows between unbounded preceding and current row
    )
{%- endmacro %}
{% macro spark__carried(value, partition_by, order_by) -%}
    last_value({{ value }}, true) over (
        partition by {{ partition_by }} order by {{ order_by }} rows between unbounded preceding and current row
    )
{%- endmacro %}

{#- Start of the UTC hour, end of one that starts at `hour`, start of the minute and the second, the nearest minute, and the UTC date. -#}
{% macro hour_start(ts) -%}{{ bar_start(ts, 3600) }}{%- endmacro %}
{% macro hour_end(hour) -%}{{ hour }} + interval '1 hour'{%- endmacro %}
{% macro minute_start(ts) -%}{{ bar_start(ts, 60) }}{%- endmacro %}
{% macro second_start(ts) -%}{{ bar_start(ts, 1) }}{%- endmacro %}
{% macro nearest_minute(ts) -%}{{ bar_start(ts ~ " + interval '30 seconds'", 60) }}{%- endmacro %}
{% macro date_of(ts) -%}cast({{ ts }} as date){%- endmacro %}

{#- An instant `days` later (or earlier, if negative); `days` is an integer expression. -#}
{% macro plus_days(ts, days) -%}{{ return(adapter.dispatch("plus_days", "barograph")(ts, days)) }}{%- endmacro %}
{% macro duckdb__plus_days(ts, days) -%}({{ ts }} + to_days({{ days }})){%- endmacro %}
{% macro spark__plus_days(ts, days) -%}({{ ts }} + make_dt_interval({{ days }})){%- endmacro %}
