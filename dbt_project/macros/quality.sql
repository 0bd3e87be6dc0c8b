{#- The grade of a coverage fraction: A from 95 %, B from 80 %, C from 50 %, D from 20 %, else F. -#}
{% macro grade(coverage_frac) -%}
    case
        when {{ coverage_frac }} >= 0.95 then 'A'
        when {{ coverage_frac }} >= 0.8 then 'B'
        when {{ coverage_frac }} >= 0.5 then 'C'
        when {{ coverage_frac }} >= 0.2 then 'D'
        else 'F'
    end
{%- endmacro %}
