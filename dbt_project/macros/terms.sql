{#- What a row's instrument was, and what it was worth in dollars, when the row happened. -#}

{#-
    Join clause: the terms in force at `at`, an instant of `rows`, as `terms`.
    An instant outside the row's hour takes the terms at that end of the hour.
-#}
{% macro terms_join(rows, at) -%}
    inner join {{ ref('stg_instruments') }} as terms
        on {{ matches(rows, 'terms', ['venue', 'kind', 'symbol', 'utc_hour']) }}
        and terms.valid_from_ts <= greatest({{ rows }}.{{ at }}, {{ rows }}.utc_hour)
        and (terms.valid_to_ts > {{ rows }}.{{ at }} or terms.valid_to_ts = {{ hour_end(rows ~ '.utc_hour') }})
{%- endmacro %}

{#- Join clause, after `terms_join`: the newest price known at `at` of what the contract is worth in, where that is no dollar. -#}
{% macro coin_price_join(rows, at) -%}
    {{ return(adapter.dispatch("coin_price_join", "barograph")(rows, at)) }}
{%- endmacro %}
{% macro duckdb__coin_price_join(rows, at) -%}
    asof left join {{ ref('stg_coin_prices') }} as coin_prices
        on {{ value_asset('terms') }} = coin_prices.asset
        and {{ rows }}.utc_hour = coin_prices.utc_hour
        and {{ rows }}.{{ at }} >= coin_prices.captured_ts
{%- endmacro %}
{% macro spark__coin_price_join(rows, at) -%}
    left join lateral (
        select * from {{ ref('stg_coin_prices') }} as candidates
        where
            candidates.asset = {{ value_asset('terms') }}
            and candidates.utc_hour = {{ rows }}.utc_hour
            and candidates.captured_ts <= {{ rows }}.{{ at }}
        order by candidates.captured_ts desc limit 1
    ) as coin_prices
{%- endmacro %}

{#- Dollars of one unit of what the contract is worth in, after both joins: 1 at par, null where none was observed of late. -#}
{% macro value_usd_px(rows, at) -%}
    case
        when {{ is_at_par(value_asset('terms')) }} then 1.0
        when {{ epoch_s(rows ~ '.' ~ at) }} - {{ epoch_s('coin_prices.captured_ts') }} <= {{ var("max_coin_price_age_s") }}
            then coin_prices.usd_px
    end
{%- endmacro %}
