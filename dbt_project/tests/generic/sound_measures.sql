{#-
    Fails on each row whose measures are unsound: NaN or infinity in any of `finite` or `bounds`, or outside [min, max] of `bounds`.
    One scan for all columns of a model. Nulls pass: absence is `unique_grain`'s business.
-#}
{% test sound_measures(model, bounds={}, finite=[]) %}

select *

from {{ model }}

where
    false
    {%- for column in finite + (bounds | list) %}
    or {{ is_not_finite(column) }}
    {%- endfor %}
    {%- for column, limits in bounds.items() %}
    {%- if limits[0] is not none %}
    or {{ column }} < {{ limits[0] }}
    {%- endif %}
    {%- if limits[1] is not none %}
    or {{ column }} > {{ limits[1] }}
    {%- endif %}
    {%- endfor %}

{% endtest %}
