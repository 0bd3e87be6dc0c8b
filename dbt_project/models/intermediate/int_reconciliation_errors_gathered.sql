{#-
    Where a venue publishes a number that we make too: ours less theirs, each in its own unit.
    The warehouse keeps them for the day's distribution, and certifies them as it does the marts that a day rests on.
-#}

with

funding as (

    select
        venue,
        'funding' as metric,
        'bps' as error_unit,
        underlying,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        cast(null as timestamptz) as event_ts,
        {{ bps('funding_rate', '1') }} as stated_value,
        {{ bps('recomputed_rate - funding_rate', '1') }} as error_value,
        impact_premiums_share_frac,
        definition_version

    from {{ ref('int_funding_recomputed') }}

    where {{ in_window('utc_hour') }}

),

-- A mark is the venue's own idea of the mid.
marks as (

    select
        venue,
        'mark' as metric,
        'bps' as error_unit,
        underlying,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        cast(null as timestamptz) as event_ts,
        cast(null as double) as stated_value,
        {{ bps('derivative_px - mark_px', 'mark_px') }} as error_value,
        cast(null as double) as impact_premiums_share_frac,
        cast(null as integer) as definition_version

    from {{ ref('int_derivative_quotes') }}

    where {{ in_window('utc_hour') }} and derivative_px_source = 'mid' and mark_px is not null

),

-- An option that has expired has no Greeks.
quotes as (

    select * from {{ ref('stg_implied_vols') }}

    where mark_iv_ann is not null and years_to_expiry > 0 and {{ in_window('utc_hour') }}

),

nearest as (

    select
        venue,
        underlying,
        settle_asset,
        look_ts,
        min(expiry_ts) as expiry_ts

    from quotes

    group by venue, underlying, settle_asset, look_ts

),

-- The forward of the nearest expiry stands for spot: at a day's distance carry is a few hundredths of a percent at most.
spots as (

    select
        quotes.venue,
        quotes.underlying,
        quotes.settle_asset,
        quotes.look_ts,
        median(quotes.forward_px) as spot_px

    from quotes

    inner join nearest
        on {{ matches('quotes', 'nearest', ['venue', 'underlying', 'settle_asset', 'look_ts', 'expiry_ts']) }}

    group by quotes.venue, quotes.underlying, quotes.settle_asset, quotes.look_ts

),

conventions as (

    select
        quotes.*,
        conventions.is_present_value,
        conventions.definition_version,
        case when conventions.is_present_value then spots.spot_px / quotes.forward_px else 1 end as discount_frac,
        case
            when conventions.is_theta_of_lifetime then least(1, quotes.years_to_expiry * {{ days_per_year() }}) else 1
        end as theta_days

    from quotes

    inner join spots on {{ matches('quotes', 'spots', ['venue', 'underlying', 'settle_asset', 'look_ts']) }}

    {{ in_force_join('greek_conventions', 'conventions', 'quotes.captured_ts', 'quotes.venue = conventions.venue') }}

),

-- Ours as the venue counts them. Interest accrues on what a call owes, and on what a put is owed: delta less premium, in coin.
measured as (

    select
        *,
        gamma_per_usd / discount_frac as own_gamma_per_usd,
        vega_usd * discount_frac as own_vega_usd,
        theta_days * discount_frac * case
            when is_present_value
                then
                    theta_usd + ln(discount_frac) / years_to_expiry / {{ days_per_year() }}
                    * forward_px * coin_delta_frac
            else theta_usd
        end as own_theta_usd

    from conventions

),

{#- Each with ours, theirs and the unit. Only an inverted vol is compared: one taken over agrees with itself. -#}
{%- set compared = {
    "mark_iv": ["mark_iv_ann", "venue_mark_iv_ann", "bps"],
    "delta": ["delta_frac", "venue_delta_frac", "coin"],
    "gamma": ["own_gamma_per_usd", "venue_gamma_per_usd", "coin_per_usd"],
    "vega": ["own_vega_usd", "venue_vega_usd", "usd_per_point"],
    "theta": ["own_theta_usd", "venue_theta_usd", "usd_per_day"],
} %}

options as (

    {% for metric, (ours, theirs, unit) in compared.items() -%}
    select
        venue,
        '{{ metric }}' as metric,
        '{{ unit }}' as error_unit,
        underlying,
        kind,
        symbol,
        utc_hour,
        captured_ts,
        event_ts,
        {%- if unit == "bps" %}
        {{ bps(theirs, '1') }} as stated_value,
        {{ bps(ours ~ ' - ' ~ theirs, '1') }} as error_value,
        cast(null as double) as impact_premiums_share_frac,
        cast(null as integer) as definition_version
        {%- else %}
        {{ theirs }} as stated_value,
        {{ ours }} - {{ theirs }} as error_value,
        cast(null as double) as impact_premiums_share_frac,
        definition_version
        {%- endif %}

    from measured

    where {{ ours }} is not null and {{ theirs }} is not null and {{ "mark_iv_source = 'inverted'" if unit == "bps" else "definition_version is not null" }}

    {{ "union all" if not loop.last }}
    {% endfor %}

),

final as (

    select * from funding
    union all
    select * from marks
    union all
    select * from options

)

select * from final
