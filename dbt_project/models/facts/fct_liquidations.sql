{#-
    Forced orders in dollars, by what they closed: a forced sale closes a long, a forced purchase a short.
    Formulas, signs and caveats: docs/metrics/risk.md#liquidations
-#}

{%- set instrument_hour = "venue, kind, symbol, utc_hour" %}
{%- set closed = {"long": "sell", "short": "buy"} %}

with

told as (

    select
        *,
        min(cast(is_sampled as integer)) over (partition by {{ instrument_hour }}) as fullest

    from {{ ref('stg_liquidations') }}

    where {{ in_window('utc_hour') }}

),

-- Where a venue told all of an instrument's forced orders, those of its sampled stream are among them.
liquidations as (

    select * from told

    where cast(is_sampled as integer) = fullest

),

holes as (

    select distinct {{ instrument_hour }}

    from {{ ref('stg_stream_holes') }}

    where dataset = 'liquidations' and {{ in_window('utc_hour') }}

),

sums as (

    select
        {{ instrument_hour }},
        underlying,
        count(*) as liquidations_count,
        count(case when liquidation_usd is null then 1 end) as unpriced_count,
        {%- for position, side in closed.items() %}
        count(case when side = '{{ side }}' then 1 end) as {{ position }}_liquidations_count,
        {{ ordered_sum(
            "case when side = '" ~ side ~ "' then liquidation_usd end",
            'event_ts, side, liquidation_px, liquidation_usd'
        ) }} as {{ position }}_priced_usd,
        {%- endfor %}
        max(liquidation_usd) as largest_liquidation_usd,
        max(cast(is_sampled as integer)) = 1 as is_sampled,
        max(case when px_source = 'bankruptcy' then 1 else 0 end) = 1 as is_bankruptcy_priced

    from liquidations

    group by {{ instrument_hour }}, underlying

),

-- No forced order of a side is zero dollars; forced orders without a known price are not.
sides as (

    select
        *,
        {%- for position in closed %}
        case when {{ position }}_liquidations_count = 0 then 0.0 else {{ position }}_priced_usd end
            as {{ position }}_liquidations_usd{{ "," if not loop.last }}
        {%- endfor %}

    from sums

),

final as (

    select
        sides.venue,
        sides.kind,
        sides.symbol,
        sides.utc_hour,
        sides.underlying,
        sides.liquidations_count,
        sides.long_liquidations_count,
        sides.short_liquidations_count,
        sides.unpriced_count,
        sides.long_liquidations_usd,
        sides.short_liquidations_usd,
        sides.long_liquidations_usd + sides.short_liquidations_usd as liquidations_usd,
        {{ imbalance('sides.short_liquidations_usd', 'sides.long_liquidations_usd') }} as liquidation_imbalance_frac,
        sides.largest_liquidation_usd,
        sides.is_sampled,
        sides.is_bankruptcy_priced,
        sides.is_sampled or sides.unpriced_count > 0 or holes.symbol is not null as is_lower_bound

    from sides

    left join holes on {{ matches('sides', 'holes', ['venue', 'kind', 'symbol', 'utc_hour']) }}

)

select * from final
