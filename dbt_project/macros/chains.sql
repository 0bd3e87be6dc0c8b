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
