{#- Bars of prices, and what each says of the variance within it. Formulas: docs/metrics/risk.md#realised-volatility -#}

{#- Start of the bar of `seconds` that holds an instant; bars are counted from midnight UTC. -#}
{% macro bar_start(ts, seconds) -%}{{ return(adapter.dispatch("bar_start", "barograph")(ts, seconds)) }}{%- endmacro %}
{#- By whole numbers: time_bucket and date_trunc ask DuckDB's calendar at every row and take several times as long. -#}
{% macro duckdb__bar_start(ts, seconds) -%}
    make_timestamptz(epoch_us({{ ts }}) // {{ seconds * 1000000 }} * {{ seconds * 1000000 }})
{%- endmacro %}
{% macro spark__bar_start(ts, seconds) -%}
    timestamp_seconds(floor(unix_seconds({{ ts }}) / {{ seconds }}) * {{ seconds }})
{%- endmacro %}

{#- The order of ids that count up, where they are text: a longer one is a later one. -#}
{% macro counted_up(id) -%}length({{ id }}), {{ id }}{%- endmacro %}

{#- How many bars of `bar_s` seconds make a year. -#}
{% macro bars_per_year(bar_s) -%}
    ({{ days_per_year() }} * 86400.0 / {{ bar_s }})
{%- endmacro %}

{#- Variance of one bar by its range alone: Parkinson (1980). -#}
{% macro parkinson_variance(high, low) -%}
    (ln({{ high }} / {{ low }}) * ln({{ high }} / {{ low }}) / (4 * ln(2.0)))
{%- endmacro %}

{#- By range and move: Garman and Klass (1980), their practical estimator. -#}
{% macro garman_klass_variance(open, high, low, close) -%}
    (
        0.5 * ln({{ high }} / {{ low }}) * ln({{ high }} / {{ low }})
        - (2 * ln(2.0) - 1) * ln({{ close }} / {{ open }}) * ln({{ close }} / {{ open }})
    )
{%- endmacro %}

{#- By range and move, whatever the drift: Rogers and Satchell (1991). -#}
{% macro rogers_satchell_variance(open, high, low, close) -%}
    (
        ln({{ high }} / {{ close }}) * ln({{ high }} / {{ open }})
        + ln({{ low }} / {{ close }}) * ln({{ low }} / {{ open }})
    )
{%- endmacro %}

{#- Sample variance from count, sum and sum of squares; rounding must not make it negative. -#}
{% macro sample_variance(n, total, total_of_squares) -%}
    greatest(0.0, ({{ total_of_squares }} - {{ total }} * {{ total }} / {{ n }}) / ({{ n }} - 1))
{%- endmacro %}
