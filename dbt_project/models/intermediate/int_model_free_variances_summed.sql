{#-
    Variance that each expiry's options out of the money charge for together, without a model: Cboe's rule for the VIX, undiscounted.
    A venue tells nothing where nobody bids, so no bid is a bid of zero.
-#}

{%- set expiry = ["venue", "underlying", "settle_asset", "utc_hour", "captured_ts", "expiry_ts"] %}
{%- set slice = expiry | join(", ") %}

with

-- Of each option its newest prices of the look, though a later reply may tell its volatility alone.
newest as (

    select
        *,
        row_number() over (
            partition by venue, symbol, utc_hour, look_ts
            order by
                case when bid_premium_usd is null and ask_premium_usd is null then 1 else 0 end,
                captured_ts desc, event_ts desc
        ) as newest_first

    from {{ ref('stg_implied_vols') }}

    where expiry_ts > look_ts and {{ in_window('utc_hour') }}

),

options as (

    select
        venue,
        underlying,
        settle_asset,
        utc_hour,
        look_ts as captured_ts,
        expiry_ts,
        strike_px,
        option_type,
        forward_px,
        coalesce(bid_premium_usd > 0, false) as is_bid,
        case when bid_premium_usd > 0 then mid_premium_usd end as mid_premium_usd

    from newest

    where newest_first = 1

),

expiries as (

    select
        {{ slice }},
        {{ median_of('forward_px') }} as forward_px,
        {{ days_between("captured_ts", "expiry_ts") }} / {{ days_per_year() }} as years_to_expiry

    from options

    group by {{ slice }}

),

centres as (

    select
        {%- for column in expiry %}
        expiries.{{ column }},
        {%- endfor %}
        expiries.forward_px,
        expiries.years_to_expiry,
        max(options.strike_px) as centre_strike_px

    from expiries

    inner join options
        on {{ matches('expiries', 'options', expiry) }} and expiries.forward_px >= options.strike_px

    group by all

),

-- Outward from the centre, each side by its options out of the money.
wings as (

    select
        {%- for column in expiry %}
        options.{{ column }},
        {%- endfor %}
        options.option_type,
        options.strike_px,
        options.is_bid,
        options.mid_premium_usd,
        abs(options.strike_px - centres.centre_strike_px) as distance_px

    from options

    inner join centres on {{ matches('options', 'centres', expiry) }}

    where
        (options.option_type = 'put' and options.strike_px < centres.centre_strike_px)
        or (options.option_type = 'call' and options.strike_px > centres.centre_strike_px)

),

bid_beside as (

    select
        *,
        -- What is bid and not asked has no mid, and ends nothing.
        not is_bid and not lag(is_bid, 1, true) over (
            partition by {{ slice }}, option_type order by distance_px
        ) as is_second_without_bid

    from wings

),

counted as (

    select
        *,
        sum(case when is_second_without_bid then 1 else 0 end) over (
            partition by {{ slice }}, option_type order by distance_px
        ) as ends_count

    from bid_beside

),

chosen as (

    select
        {{ slice }},
        strike_px,
        option_type,
        mid_premium_usd

    from counted

    where ends_count = 0 and mid_premium_usd is not null

    union all

    -- At the centre the mean of call and put, where both are bid.
    select
        {%- for column in expiry %}
        options.{{ column }},
        {%- endfor %}
        options.strike_px,
        'both' as option_type,
        sum(options.mid_premium_usd) / 2 as mid_premium_usd

    from options

    inner join centres
        on {{ matches('options', 'centres', expiry) }} and options.strike_px = centres.centre_strike_px

    group by
        {%- for column in expiry %}
        options.{{ column }},
        {%- endfor %}
        options.strike_px

    having count(options.mid_premium_usd) = 2

),

spaced as (

    select
        *,
        lag(strike_px) over (partition by {{ slice }} order by strike_px) as strike_below_px,
        lead(strike_px) over (partition by {{ slice }} order by strike_px) as strike_above_px

    from chosen

),

summed as (

    select
        {{ slice }},
        {{ ordered_sum(
            "mid_premium_usd / (strike_px * strike_px) * case
                when strike_below_px is null then strike_above_px - strike_px
                when strike_above_px is null then strike_px - strike_below_px
                else (strike_above_px - strike_below_px) / 2
            end",
            "strike_px"
        ) }} as strip,
        count(case when option_type = 'put' then 1 end) as puts_count,
        count(case when option_type = 'call' then 1 end) as calls_count,
        count(case when option_type = 'both' then 1 end) as centres_count,
        min(strike_px) as lowest_strike_px,
        max(strike_px) as highest_strike_px

    from spaced

    group by {{ slice }}

),

final as (

    select
        {%- for column in expiry %}
        centres.{{ column }},
        {%- endfor %}
        centres.forward_px,
        centres.years_to_expiry,
        centres.centre_strike_px,
        summed.lowest_strike_px,
        summed.highest_strike_px,
        coalesce(summed.puts_count, 0) as puts_count,
        coalesce(summed.calls_count, 0) as calls_count,
        case
            when summed.puts_count > 0 and summed.calls_count > 0 and summed.centres_count = 1
                then
                    (
                        2 * summed.strip
                        - (centres.forward_px / centres.centre_strike_px - 1)
                        * (centres.forward_px / centres.centre_strike_px - 1)
                    ) / centres.years_to_expiry
        end as model_free_variance_ann

    from centres

    left join summed on {{ matches('centres', 'summed', expiry) }}

)

select * from final
