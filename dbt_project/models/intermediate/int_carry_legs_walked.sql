{#-
    Each derivative's book beside each spot book of the reference venues, the newest pair of the hour, walked at three sizes:
    what the two legs are opened and closed at.
-#}

{%- set pair = ['venue', 'kind', 'symbol', 'reference_venue', 'reference_symbol', 'utc_hour'] %}

with

books as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        is_in_dollars,
        bid_px,
        bid_usd,
        ask_px,
        ask_usd

    from {{ ref('stg_order_books') }}

    where {{ in_window('utc_hour') }} and {{ element('bid_px', 1) }} < {{ element('ask_px', 1) }}

),

paired as (

    select * from {{ ref('int_references_paired') }} where reference_kind = 'spot' and {{ in_window('utc_hour') }}

),

spot_looks as (

    select
        venue as reference_venue,
        symbol as reference_symbol,
        utc_hour,
        captured_ts as spot_ts

    from books

    where kind = 'spot' and is_in_dollars

),

own_looks as (

    select paired.*

    from paired

    inner join books as own
        on {{ matches('paired', 'own', ['venue', 'kind', 'symbol', 'utc_hour', 'captured_ts']) }}
        and own.is_in_dollars

),

-- Both legs from books: a ticker has no depth to walk, so one that is newer than the spot book does not stand before it.
ranked as (

    select
        own_looks.*,
        spot_looks.spot_ts,
        row_number() over (
            partition by
                {% for column in pair -%}
                own_looks.{{ column }}{{ ", " if not loop.last }}
                {%- endfor %}
            order by own_looks.captured_ts desc
        ) as recency_index

    from own_looks

    {{ last_known_join(
        'own_looks', 'spot_looks', ['reference_venue', 'reference_symbol', 'utc_hour'], 'captured_ts', 'spot_ts'
    ) }}

    where {{ epoch_s('own_looks.captured_ts') }} - {{ epoch_s('spot_looks.spot_ts') }} <= {{ var("max_leg_skew_s") }}

),

newest as (

    select * from ranked where recency_index = 1

),

sizes as (

    {% for size in carry_sizes_usd() -%}
    select cast({{ size }} as double) as size_usd {{ "union all" if not loop.last }}
    {% endfor %}

),

final as (

    select
        {%- for column in pair %}
        newest.{{ column }},
        {%- endfor %}
        newest.underlying,
        sizes.size_usd,
        newest.quote_rate,
        {{ walk('spot.ask_px', 'spot.ask_usd', 'sizes.size_usd') }} as spot_ask_px,
        {{ walk('spot.bid_px', 'spot.bid_usd', 'sizes.size_usd') }} as spot_bid_px,
        {{ walk('own.bid_px', 'own.bid_usd', 'sizes.size_usd') }} as derivative_bid_px,
        {{ walk('own.ask_px', 'own.ask_usd', 'sizes.size_usd') }} as derivative_ask_px,
        {{ days_between('newest.captured_ts', 'terms.expiry_ts') }} as days_to_expiry,
        newest.spot_ts as reference_captured_ts,
        newest.captured_ts

    from newest

    inner join books as own
        on {{ matches('newest', 'own', ['venue', 'kind', 'symbol', 'utc_hour', 'captured_ts']) }}

    inner join books as spot
        on newest.reference_venue = spot.venue
        and spot.kind = 'spot'
        and newest.reference_symbol = spot.symbol
        and newest.utc_hour = spot.utc_hour
        and newest.spot_ts = spot.captured_ts

    {{ terms_join('newest', 'captured_ts') }}

    cross join sizes

    where terms.expiry_ts is null or terms.expiry_ts > newest.captured_ts

)

select * from final
