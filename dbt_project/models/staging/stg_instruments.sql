{#-
    The terms in force in each hour, change by change: the hour's own lists, else the venue's documented grammar.
    A change holds from the list that first showed it, the hour's first terms from the hour's start.
    What a later list leaves out is no change: venues spread an instrument's terms over several replies.
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}
{%- set stated = [
    "base_asset", "quote_asset", "settle_asset", "amount_unit", "terms_source", "contract_size", "is_inverse", "is_quanto",
] %}
{%- set optional = ["option_type", "tick_size_px", "lot_size_qty", "strike_px", "funding_interval_s", "expiry_ts"] %}

with

listings as (

    select
        {{ instrument_hour }},
        captured_ts,
        {%- for term in stated %}
        {{ term }},
        {%- endfor %}
        {%- for term in optional %}
        {{ carried(term, instrument_hour, 'captured_ts') }} as {{ term }}{{ "," if not loop.last }}
        {%- endfor %}

    from {{ source('lake', 'instruments') }}

),

followed as (

    select
        *,
        lag(captured_ts) over successive as earlier_captured_ts,
        {%- for term in stated + optional %}
        lag({{ term }}) over successive as earlier_{{ term }}{{ "," if not loop.last }}
        {%- endfor %}

    from listings

    window successive as (partition by {{ instrument_hour }} order by captured_ts)

),

compared as (

    select
        *,
        earlier_captured_ts is null as is_first,
        {%- for term in stated + optional %}
        {{ "or " if not loop.first }}coalesce(
            {{ term }} <> earlier_{{ term }}, ({{ term }} is null) <> (earlier_{{ term }} is null)
        )
        {%- endfor %} as is_changed

    from followed

),

changes as (

    select
        *,
        case when is_first then utc_hour else captured_ts end as valid_from_ts

    from compared

    where is_first or is_changed

),

final as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        valid_from_ts,
        coalesce(
            lead(valid_from_ts) over (partition by {{ instrument_hour }} order by valid_from_ts),
            {{ hour_end('utc_hour') }}
        ) as valid_to_ts,
        base_asset as underlying,
        quote_asset,
        settle_asset,
        option_type,
        amount_unit,
        terms_source,
        contract_size,
        tick_size_px,
        lot_size_qty,
        strike_px,
        funding_interval_s,
        is_inverse,
        is_quanto,
        expiry_ts

    from changes

)

select * from final
