{#- Fails when a model has two rows, or a null, where its description promises one. `nullable` columns may be null. -#}
{% test unique_grain(model, columns, nullable=[]) %}

select
    {{ (columns + nullable) | join(', ') }},
    count(*) as rows_count

from {{ model }}

group by {{ (columns + nullable) | join(', ') }}

having
    count(*) > 1
    {%- for column in columns %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
