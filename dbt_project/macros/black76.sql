{#- Black-76 on a forward, undiscounted. `vol` is a decimal a year, `years` over 365 days; all must be positive. -#}

{#- d1 = ln(F/K) / (vol √T) + vol √T / 2. -#}
{% macro black76_d1(forward, strike, vol, years) -%}
    (ln({{ forward }} / {{ strike }}) / ({{ vol }} * sqrt({{ years }})) + {{ vol }} * sqrt({{ years }}) / 2)
{%- endmacro %}

{#- Change of delta for one unit of the forward: n(d1) / (F vol √T); of calls and puts alike. -#}
{% macro black76_gamma(forward, strike, vol, years) -%}
    (
        exp(-0.5 * {{ black76_d1(forward, strike, vol, years) }} * {{ black76_d1(forward, strike, vol, years) }})
        / (sqrt(2 * acos(-1.0)) * {{ forward }} * {{ vol }} * sqrt({{ years }}))
    )
{%- endmacro %}

{#- Dollars of delta that `qty` coins of options gain for a move of one percent: gamma x qty x F² x 0.01. -#}
{% macro gamma_exposure_usd(gamma, qty, forward) -%}
    ({{ gamma }} * {{ qty }} * {{ forward }} * {{ forward }} * 0.01)
{%- endmacro %}
