{#-
    The total carry ln(F/S) of each dated future to its expiry, minute by minute: the newest pair of the minute that a
    venue's curve can be drawn from. Only what is quoted and settled alike, against one reference, is one curve.
-#}

{%- set curve = [
    'venue', 'underlying', 'quote_asset', 'settle_asset', 'reference_venue', 'reference_kind', 'reference_symbol',
    'utc_hour', 'minute_ts',
] %}

with

pairs as (

    select * from {{ ref('int_references_paired') }} where kind = 'future' and {{ in_window('utc_hour') }}

),

with_terms as (

    select
        pairs.venue,
        pairs.symbol,
        pairs.utc_hour,
        pairs.underlying,
        pairs.quote_asset,
        terms.settle_asset,
        pairs.reference_venue,
        pairs.reference_kind,
        -- A venue's index has as many names here as contracts that tell it.
        case when pairs.reference_kind = 'index' then 'index' else pairs.reference_symbol end as reference_symbol,
        {{ minute_start('pairs.captured_ts') }} as minute_ts,
        pairs.derivative_px / (pairs.reference_px * pairs.quote_rate) as price_ratio,
        {{ days_between('pairs.captured_ts', 'terms.expiry_ts') }} as days_to_expiry,
        terms.expiry_ts,
        pairs.captured_ts

    from pairs

    {{ terms_join('pairs', 'captured_ts') }}

    where terms.expiry_ts > pairs.captured_ts

),

ranked as (

    select
        *,
        row_number() over (
            partition by {{ curve | join(', ') }}, expiry_ts order by captured_ts desc, symbol
        ) as recency_index

    from with_terms

),

final as (

    select
        {{ curve | join(', ') }},
        symbol,
        expiry_ts,
        days_to_expiry,
        ln(price_ratio) as total_carry,
        captured_ts

    from ranked

    where recency_index = 1

)

select * from final
