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
{#- An ordered aggregate of DuckDB sorts once a group: many times slower than this where groups are small. -#}
{% macro duckdb__ordered_sum(value, order_by) -%}
    list_sum(list_transform(list_sort(list(row({{ order_by }}, {{ value }}))), lambda x: x[{{ order_by.split(",") | length + 1 }}]))
{%- endmacro %}
{% macro spark__ordered_sum(value, order_by) -%}
    aggregate(
        filter(transform(array_sort(collect_list(struct({{ order_by }}, {{ value }} as summand))), x -> x.summand), x -> x is not null),
        cast(null as double), (total, x) -> coalesce(total, double(0)) + x
    )
{%- endmacro %}

{#- A group's rows as one list, in the order of a column that comes first: several sums of `fields` at the price of one sort. -#}
{% macro rows_in_order(order_by, fields) -%}
    {{ return(adapter.dispatch("rows_in_order", "barograph")(order_by, fields)) }}
{%- endmacro %}
{% macro duckdb__rows_in_order(order_by, fields) -%}
    list_sort(list(struct_pack(sorted_by := {{ order_by }}
    {%- for name, value in fields.items() %}, {{ name }} := {{ value }}{% endfor %})))
{%- endmacro %}
{% macro spark__rows_in_order(order_by, fields) -%}
    array_sort(collect_list(struct({{ order_by }} as sorted_by
    {%- for name, value in fields.items() %}, {{ value }} as {{ name }}{% endfor %})))
{%- endmacro %}

{#- The sum of one field of such rows, from first to last; null where none has it. -#}
{% macro sum_of_rows(rows, field) -%}{{ return(adapter.dispatch("sum_of_rows", "barograph")(rows, field)) }}{%- endmacro %}
{% macro duckdb__sum_of_rows(rows, field) -%}list_sum(list_transform({{ rows }}, lambda x: x.{{ field }})){%- endmacro %}
{% macro spark__sum_of_rows(rows, field) -%}
    aggregate(
        filter(transform({{ rows }}, x -> x.{{ field }}), x -> x is not null),
        cast(null as double), (total, x) -> coalesce(total, double(0)) + x
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
