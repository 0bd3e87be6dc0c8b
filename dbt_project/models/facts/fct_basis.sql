{#-
    How far each perpetual and dated future trades from its reference, per capture.
    Formulas, signs and caveats: docs/metrics.md#basis
-#}

with

pairs as (

    select
        *,
        reference_px * quote_rate as reference_in_quote_px

    from {{ ref('int_references_paired') }}

    where {{ in_window('utc_hour') }}

),

intervals as (

    select * from {{ ref('int_funding_intervals_derived') }} where {{ in_window('utc_hour') }}

),

interest as (

    select
        venue,
        kind,
        symbol,
        utc_hour,
        captured_ts as interest_captured_ts,
        max(open_interest_usd) as open_interest_usd,
        max(open_interest_base) as open_interest_base

    from {{ ref('stg_open_interest') }}

    where kind <> 'option' and {{ in_window('utc_hour') }}

    group by venue, kind, symbol, utc_hour, captured_ts

),

with_interest as (

    select
        pairs.*,
        interest.open_interest_usd as stated_interest_usd,
        interest.open_interest_base as stated_interest_base,
        {{ epoch_s('pairs.captured_ts') }} - {{ epoch_s('interest.interest_captured_ts') }} as interest_age_s

    from pairs

    {{ last_known_join(
        'pairs', 'interest', ['venue', 'kind', 'symbol', 'utc_hour'], 'captured_ts', 'interest_captured_ts'
    ) }}

),

final as (

    select
        with_interest.venue,
        with_interest.kind,
        with_interest.symbol,
        with_interest.utc_hour,
        with_interest.underlying,
        with_interest.reference_venue,
        with_interest.reference_symbol,
        with_interest.reference_kind,
        with_interest.derivative_px_source,
        with_interest.derivative_px,
        with_interest.mark_px,
        with_interest.reference_px,
        with_interest.quote_rate,
        {{ bps('derivative_px - reference_in_quote_px', 'reference_in_quote_px') }} as basis_bps,
        {{ bps('with_interest.mark_px - reference_in_quote_px', 'reference_in_quote_px') }} as mark_basis_bps,
        {{ days_between('with_interest.captured_ts', 'terms.expiry_ts') }} as days_to_expiry,
        {{ per_year(
            'derivative_px / reference_in_quote_px - 1', days_between('with_interest.captured_ts', 'terms.expiry_ts')
        ) }} as basis_simple_ann,
        {{ per_year(
            'ln(derivative_px / reference_in_quote_px)', days_between('with_interest.captured_ts', 'terms.expiry_ts')
        ) }} as basis_log_ann,
        case
            when interest_age_s <= {{ var("max_open_interest_age_s") }}
                then coalesce(
                    stated_interest_usd,
                    case when {{ is_at_par('terms.quote_asset') }} then stated_interest_base * derivative_px end
                )
        end as open_interest_usd,
        {{ per_hour('with_interest.funding_rate', 'intervals.funding_interval_s') }} as funding_rate_per_hour,
        intervals.funding_interval_s,
        intervals.funding_interval_source,
        1000.0 * ({{ epoch_s('with_interest.captured_ts') }} - {{ epoch_s('with_interest.reference_captured_ts') }})
            as capture_skew_ms,
        with_interest.captured_ts

    from with_interest

    {{ terms_join('with_interest', 'captured_ts') }}

    left join intervals on {{ matches('with_interest', 'intervals', ['venue', 'kind', 'symbol', 'utc_hour']) }}

    -- A contract past its expiry has a settlement, not a basis.
    where terms.expiry_ts is null or terms.expiry_ts > with_interest.captured_ts

)

select * from final
