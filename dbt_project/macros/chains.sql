{#- Chains of the Ethereum family: what a transaction costs, and what a block's fullness makes of the next base fee. -#}

{#- Dollars of a transaction: gas times its price, and what its data costs on the first layer, both in billionths of the coin. -#}
{% macro gas_usd(gas_count, gas_px_gwei, data_fee_gwei, coin_usd_px) -%}
    ({{ gas_count }} * {{ gas_px_gwei }} + {{ data_fee_gwei }}) / 1e9 * {{ coin_usd_px }}
{%- endmacro %}

{#-
    EIP-1559: base x (1 + (used - target) / target / denominator), where the target is the limit over the elasticity;
    `used_frac` is of the limit. To the wei. https://eips.ethereum.org/EIPS/eip-1559
-#}
{% macro next_base_fee_gwei(base_fee_gwei, used_frac, elasticity, denominator) -%}
    round({{ base_fee_gwei }} * (1 + ({{ used_frac }} * {{ elasticity }} - 1) / {{ denominator }}), 9)
{%- endmacro %}

{#-
    What a pool of two reserves pays for an amount, whose fee stays in the pool: the product of the reserves is kept.
    https://docs.uniswap.org/contracts/v2/concepts/protocol-overview/how-uniswap-works
-#}
{% macro pool_pays(amount, fee_frac, reserve_in, reserve_out) -%}
    {{ amount }} * (1 - {{ fee_frac }}) * {{ reserve_out }} / ({{ reserve_in }} + {{ amount }} * (1 - {{ fee_frac }}))
{%- endmacro %}

{#- What must be paid in for `amount` of the other: the same solved; null where the pool holds no more than that. -#}
{% macro pool_takes(amount, fee_frac, reserve_in, reserve_out) -%}
    case
        when {{ amount }} < {{ reserve_out }}
            then {{ amount }} * {{ reserve_in }} / (({{ reserve_out }} - {{ amount }}) * (1 - {{ fee_frac }}))
    end
{%- endmacro %}

{#-
    The size up to which each next coin still gains: the pool's price moves with every coin, a book's from level to level,
    so of each level no more than up to the size `bound`, an expression in the level's `px`, at which the pool meets it.
    Bounds fall outward and running sums rise, hence the largest of the smaller of both; zero where nothing gains.
-#}
{% macro bounded_size(px_list, sums, bound) -%}
    {{ return(adapter.dispatch("bounded_size", "barograph")(px_list, sums, bound)) }}
{%- endmacro %}
{% macro duckdb__bounded_size(px_list, sums, bound) -%}
    greatest(0.0, list_max(list_transform(
        list_zip({{ px_list }}, {{ sums }}[2:]), lambda level: least(level[2], {{ bound | replace("px", "level[1]") }})
    )))
{%- endmacro %}
{% macro spark__bounded_size(px_list, sums, bound) -%}
    greatest(double(0), array_max(zip_with(
        {{ px_list }}, slice({{ sums }}, 2, size({{ px_list }})), (px, sum) -> least(sum, {{ bound }})
    )))
{%- endmacro %}
