{#- Walking a book: what a marketable order of a given size would get, level by level from the touch outward. -#}

{#-
    The average price of `size_usd` dollars taken from a side's levels; of the last level only the part that is needed.
    Null where the levels end before the size does: the last is never extrapolated.
    The dollars of a level count at its own price, so what one dollar of the quote currency is worth cancels.
-#}
{% macro walk(px_list, usd_list, size_usd) -%}{{ return(adapter.dispatch("walk", "barograph")(px_list, usd_list, size_usd)) }}{%- endmacro %}
{#- An arrow, because the linter cannot read a `lambda` of two. -#}
{% macro duckdb__walk(px_list, usd_list, size_usd) -%}
    case
        when list_sum({{ usd_list }}) >= {{ size_usd }}
            then
                {{ size_usd }} / list_reduce(
                    list_transform(
                        list_zip({{ px_list }}, {{ usd_list }}), lambda level: {'usd': level[2], 'px': level[1]}
                    ),
                    (walked, level) -> {
                        'usd': greatest(walked.usd - level.usd, 0.0),
                        'coins': walked.coins + least(walked.usd, level.usd) / level.px
                    },
                    {'usd': cast({{ size_usd }} as double), 'coins': cast(0 as double)}
                ).coins
    end
{%- endmacro %}
{% macro spark__walk(px_list, usd_list, size_usd) -%}
    case
        when aggregate({{ usd_list }}, double(0), (total, x) -> total + x) >= {{ size_usd }}
            then
                {{ size_usd }} / aggregate(
                    zip_with({{ px_list }}, {{ usd_list }}, (px, usd) -> named_struct('usd', usd, 'px', px)),
                    named_struct('usd', double({{ size_usd }}), 'coins', double(0)),
                    (walked, level) -> named_struct(
                        'usd', greatest(walked.usd - level.usd, 0.0D),
                        'coins', walked.coins + least(walked.usd, level.usd) / level.px
                    )
                ).coins
    end
{%- endmacro %}
