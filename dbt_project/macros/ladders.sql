{#-
    Walking books: levels as running sums from the touch outward, each list headed by a zero, so that the n-th sum is at n + 1.
    What a walk cannot fill is null: the last level is never extrapolated.
-#}

{#- Sums of the first 0, 1, 2 … elements, left to right: one longer than the list. The linter reads no `lambda` of two names. -#}
{% macro running_sums(list) -%}{{ return(adapter.dispatch("running_sums", "barograph")(list)) }}{%- endmacro %}
{% macro duckdb__running_sums(list) -%}
    list_reduce(
        list_transform({{ list }}, lambda x: [x]),
        (sums, next) -> list_append(sums, sums[-1] + next[1]),
        [cast(0.0 as double)]
    )
{%- endmacro %}
{% macro spark__running_sums(list) -%}
    transform(
        sequence(0, size({{ list }})), n -> aggregate(slice({{ list }}, 1, n), double(0), (total, x) -> total + x)
    )
{%- endmacro %}

{#- The last element. -#}
{% macro last_of(list) -%}{{ element(list, size_of(list)) }}{%- endmacro %}

{#-
    What `amount` of `inputs` becomes of `outputs`, two lists of running sums: money into coins over the asks, coins into
    money over the bids, and back by exchanging the two. Linear within a level; null beyond the last.
-#}
{% macro walked(amount, inputs, outputs) -%}
    {%- set whole_levels = count_within(inputs, "<=", amount) -%}
    case
        when {{ amount }} < {{ last_of(inputs) }}
            then {{ element(outputs, whole_levels) }}
                + ({{ amount }} - {{ element(inputs, whole_levels) }})
                * ({{ element(outputs, whole_levels ~ " + 1") }} - {{ element(outputs, whole_levels) }})
                / ({{ element(inputs, whole_levels ~ " + 1") }} - {{ element(inputs, whole_levels) }})
        when {{ amount }} = {{ last_of(inputs) }} then {{ last_of(outputs) }}
    end
{%- endmacro %}

{#- The same for each of a list of amounts, each first multiplied by `kept`: what a fee has left of it. -#}
{% macro walked_each(amounts, kept, inputs, outputs) -%}
    {{ return(adapter.dispatch("walked_each", "barograph")(amounts, kept, inputs, outputs)) }}
{%- endmacro %}
{% macro duckdb__walked_each(amounts, kept, inputs, outputs) -%}
    list_transform({{ amounts }}, lambda amount: {{ walked("(amount * " ~ kept ~ ")", inputs, outputs) }})
{%- endmacro %}
{% macro spark__walked_each(amounts, kept, inputs, outputs) -%}
    transform({{ amounts }}, amount -> {{ walked("(amount * " ~ kept ~ ")", inputs, outputs) }})
{%- endmacro %}

{#-
    The size of the last pair of levels at which a bid times `bid_factor` still stands above an ask times `ask_factor`;
    zero where not even the first two do. Sizes are running sums in one unit.
-#}
{% macro crossing_size(ask_px, ask_sums, ask_factor, bid_px, bid_sums, bid_factor) -%}
    {{ return(adapter.dispatch("crossing_size", "barograph")(ask_px, ask_sums, ask_factor, bid_px, bid_sums, bid_factor)) }}
{%- endmacro %}
{% macro duckdb__crossing_size(ask_px, ask_sums, ask_factor, bid_px, bid_sums, bid_factor) -%}
    {%- set gaining = "list_filter(" ~ ask_px ~ ", lambda ask: ask * " ~ ask_factor ~ " < " ~ bid_px ~ "[1] * " ~ bid_factor ~ ")" -%}
    coalesce(list_max(list_transform(
        range(1, 1 + len({{ gaining }})),
        lambda n: least(
            {{ ask_sums }}[n + 1],
            {{ bid_sums }}[
                1 + len(list_filter({{ bid_px }}, lambda bid: bid * {{ bid_factor }} > {{ ask_px }}[n] * {{ ask_factor }}))
            ]
        )
    )), 0.0)
{%- endmacro %}
{% macro spark__crossing_size(ask_px, ask_sums, ask_factor, bid_px, bid_sums, bid_factor) -%}
    coalesce(array_max(transform(
        filter({{ ask_px }}, ask -> ask * {{ ask_factor }} < {{ bid_px }}[0] * {{ bid_factor }}),
        (ask, n) -> least(
            element_at({{ ask_sums }}, n + 2),
            element_at({{ bid_sums }}, 1 + size(filter({{ bid_px }}, bid -> bid * {{ bid_factor }} > ask * {{ ask_factor }})))
        )
    )), double(0))
{%- endmacro %}

{#- Several lists as one, without nulls. -#}
{% macro joined_lists(lists) -%}{{ return(adapter.dispatch("joined_lists", "barograph")(lists)) }}{%- endmacro %}
{% macro duckdb__joined_lists(lists) -%}
    list_filter(flatten([{{ lists | join(", ") }}]), lambda x: x is not null)
{%- endmacro %}
{% macro spark__joined_lists(lists) -%}
    filter(concat({{ lists | join(", ") }}), x -> x is not null)
{%- endmacro %}

{#- Of sizes and what each became, the smallest size of the largest gain; zero where none gains. -#}
{% macro best_of(sizes, became) -%}{{ return(adapter.dispatch("best_of", "barograph")(sizes, became)) }}{%- endmacro %}
{% macro duckdb__best_of(sizes, became) -%}
    {%- set numbers = "range(1, 1 + len(" ~ sizes ~ "))" -%}
    coalesce(list_min(list_transform(
        {{ numbers }},
        lambda n: case
            when {{ became }}[n] - {{ sizes }}[n] > 0
                and {{ became }}[n] - {{ sizes }}[n]
                    = list_max(list_transform({{ numbers }}, lambda m: {{ became }}[m] - {{ sizes }}[m]))
                then {{ sizes }}[n]
        end
    )), 0.0)
{%- endmacro %}
{% macro spark__best_of(sizes, became) -%}
    coalesce(array_min(filter(
        {{ sizes }},
        (size, n) -> {{ became }}[n] - size > 0
        and {{ became }}[n] - size = array_max(transform({{ sizes }}, (other, m) -> {{ became }}[m] - other))
    )), double(0))
{%- endmacro %}

{#- Each element times a number. -#}
{% macro scaled(list, factor) -%}{{ return(adapter.dispatch("scaled", "barograph")(list, factor)) }}{%- endmacro %}
{% macro duckdb__scaled(list, factor) -%}list_transform({{ list }}, lambda x: x * {{ factor }}){%- endmacro %}
{% macro spark__scaled(list, factor) -%}transform({{ list }}, x -> x * {{ factor }}){%- endmacro %}

{#- The largest of the sizes that became anything. -#}
{% macro largest_filled(sizes, became) -%}
    {{ return(adapter.dispatch("largest_filled", "barograph")(sizes, became)) }}
{%- endmacro %}
{% macro duckdb__largest_filled(sizes, became) -%}
    list_max(list_transform(
        range(1, 1 + len({{ sizes }})), lambda n: case when {{ became }}[n] is not null then {{ sizes }}[n] end
    ))
{%- endmacro %}
{% macro spark__largest_filled(sizes, became) -%}
    array_max(filter({{ sizes }}, (size, n) -> {{ became }}[n] is not null))
{%- endmacro %}

{#- A book that the venue wrote about when we received it; where it does not say when, our clock alone counts. -#}
{% macro is_fresh(book) -%}
    coalesce(
        abs({{ epoch_s(book ~ '.captured_ts') }} - {{ epoch_s(book ~ '.event_ts') }}) <= {{ var("max_executable_age_s") }}, true
    )
{%- endmacro %}

{#- A price of gas that still holds. -#}
{% macro is_recent(ts, priced_ts) -%}
    {{ epoch_s(ts) }} - {{ epoch_s(priced_ts) }} <= {{ var("max_gas_age_s") }}
{%- endmacro %}
