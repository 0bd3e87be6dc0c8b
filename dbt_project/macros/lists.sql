{#- List functions: DuckDB spells them its own way, so models reach them through here. Lists count from 1. -#}

{#- The element at `index`, null where the list is shorter. -#}
{% macro element(list, index) -%}{{ return(adapter.dispatch("element", "barograph")(list, index)) }}{%- endmacro %}
{% macro duckdb__element(list, index) -%}{{ list }}[{{ index }}]{%- endmacro %}
{% macro spark__element(list, index) -%}try_element_at({{ list }}, {{ index }}){%- endmacro %}

{#- How many elements. -#}
{% macro size_of(list) -%}{{ return(adapter.dispatch("size_of", "barograph")(list)) }}{%- endmacro %}
{% macro duckdb__size_of(list) -%}len({{ list }}){%- endmacro %}
{% macro spark__size_of(list) -%}size({{ list }}){%- endmacro %}

{#- Sum of the first `n`, left to right: the order is fixed, so re-runs agree to the bit. Zero where n is zero. -#}
{% macro sum_first(list, n) -%}{{ return(adapter.dispatch("sum_first", "barograph")(list, n)) }}{%- endmacro %}
{% macro duckdb__sum_first(list, n) -%}
    coalesce(list_sum({{ list }}[1:{{ n }}]), 0.0)
{%- endmacro %}
{% macro spark__sum_first(list, n) -%}
    aggregate(slice({{ list }}, 1, {{ n }}), double(0), (total, x) -> total + x)
{%- endmacro %}

{#- Sum of those after the first `n` up to the `m`-th, left to right; zero where there are none. -#}
{% macro sum_between(list, n, m) -%}{{ return(adapter.dispatch("sum_between", "barograph")(list, n, m)) }}{%- endmacro %}
{% macro duckdb__sum_between(list, n, m) -%}
    coalesce(list_sum({{ list }}[{{ n }} + 1:{{ m }}]), 0.0)
{%- endmacro %}
{% macro spark__sum_between(list, n, m) -%}
    aggregate(slice({{ list }}, {{ n }} + 1, {{ m }} - {{ n }}), double(0), (total, x) -> total + x)
{%- endmacro %}

{#- `fn(qty, px)` for each pair of two lists of one length; `expression` names them `qty` and `px`. -#}
{% macro map_levels(qty_list, px_list, expression) -%}
    {{ return(adapter.dispatch("map_levels", "barograph")(qty_list, px_list, expression)) }}
{%- endmacro %}
{% macro duckdb__map_levels(qty_list, px_list, expression) -%}
    list_transform(list_zip({{ qty_list }}, {{ px_list }}), lambda level: {{ expression | replace("qty", "level[1]") | replace("px", "level[2]") }})
{%- endmacro %}
{% macro spark__map_levels(qty_list, px_list, expression) -%}
    zip_with({{ qty_list }}, {{ px_list }}, (qty, px) -> {{ expression }})
{%- endmacro %}

{#- How many of an ascending (`<=`) or descending (`>=`) list stand before the first that leaves the bound. -#}
{% macro count_within(list, operator, bound) -%}
    {{ return(adapter.dispatch("count_within", "barograph")(list, operator, bound)) }}
{%- endmacro %}
{% macro duckdb__count_within(list, operator, bound) -%}
    len(list_filter({{ list }}, lambda x: x {{ operator }} {{ bound }}))
{%- endmacro %}
{% macro spark__count_within(list, operator, bound) -%}
    size(filter({{ list }}, x -> x {{ operator }} {{ bound }}))
{%- endmacro %}

{#- A sum in a fixed order: floating point does not commute, and published rows must be identical. -#}
{% macro ordered_sum(value, order_by) -%}
    {{ return(adapter.dispatch("ordered_sum", "barograph")(value, order_by)) }}
{%- endmacro %}
{% macro duckdb__ordered_sum(value, order_by) -%}sum({{ value }} order by {{ order_by }}){%- endmacro %}
{% macro spark__ordered_sum(value, order_by) -%}
    aggregate(
        transform(array_sort(collect_list(struct({{ order_by }}, {{ value }} as summand))), x -> x.summand),
        double(0), (total, x) -> total + x
    )
{%- endmacro %}

{#- A mean in a fixed order. -#}
{% macro ordered_mean(value, order_by) -%}
    {{ ordered_sum(value, order_by) }} / nullif(count({{ value }}), 0)
{%- endmacro %}

{#- The value at the smallest and at the largest key. -#}
{% macro value_at_min(value, key) -%}{{ return(adapter.dispatch("value_at_min", "barograph")(value, key)) }}{%- endmacro %}
{% macro duckdb__value_at_min(value, key) -%}arg_min({{ value }}, {{ key }}){%- endmacro %}
{% macro spark__value_at_min(value, key) -%}min_by({{ value }}, {{ key }}){%- endmacro %}

{% macro value_at_max(value, key) -%}{{ return(adapter.dispatch("value_at_max", "barograph")(value, key)) }}{%- endmacro %}
{% macro duckdb__value_at_max(value, key) -%}arg_max({{ value }}, {{ key }}){%- endmacro %}
{% macro spark__value_at_max(value, key) -%}max_by({{ value }}, {{ key }}){%- endmacro %}
