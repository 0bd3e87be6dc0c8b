{#-
    Robust z of each measure against its own series' trailing 30 days, the hour itself excluded:
    (x - median) / (1.4826 MAD), winsorised at 8; null with under 20 observations or no spread beyond the last bits of means.
    `history` is a relation of `keys`, utc_hour and measured, from 30 days before the run's window to its end.
-#}
{% macro robust_scores(history, keys) -%}
    {%- set series = keys | join(", ") -%}
    select
        {{ series }},
        utc_hour,
        measured,
        past_count as observations_count,
        case
            when past_count >= 20 and past_mad > 1e-12 * greatest(abs(past_median), abs(measured), 1e-3)
                then greatest(-8.0, least(8.0, (measured - past_median) / (1.4826 * past_mad)))
        end as measured_z

    from (
        select
            {{ series }},
            utc_hour,
            measured,
            past_median,
            past_count,
            median(abs(past_measured - past_median)) as past_mad

        from (
            select
                *,
                median(past_measured) over (partition by {{ series }}, utc_hour) as past_median,
                count(past_measured) over (partition by {{ series }}, utc_hour) as past_count

            from (
                select
                    present.*,
                    past.measured as past_measured

                from {{ history }} as present

                left join {{ history }} as past
                    on {{ matches("present", "past", keys) }}
                    and past.utc_hour < present.utc_hour
                    and past.utc_hour >= {{ plus_days("present.utc_hour", -30) }}

                where {{ in_window("present.utc_hour") }}
            ) as windows
        ) as medians

        group by {{ series }}, utc_hour, measured, past_median, past_count
    ) as spreads
{%- endmacro %}

{#- The run's window and the days before it: what a trailing measure of the window needs. -#}
{% macro in_window_and_days_before(column, days) -%}
    {{ column }} >= {{ plus_days("cast('" ~ var("from_hour") ~ "' as timestamptz)", -days) }}
    and {{ column }} < cast('{{ var("to_hour") }}' as timestamptz)
{%- endmacro %}

{% macro stress_components() -%}
    {{ return(["book", "flow", "basis", "vol", "positioning", "dispersion", "gap"]) }}
{%- endmacro %}
