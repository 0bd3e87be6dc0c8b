"""What a chain computes in whole numbers, to the last digit: a swap through a pool, and the next block's base fee.

Amounts are of a token's or coin's smallest unit; Python's integers hold products that 128 bits do not.
Pools: https://docs.uniswap.org/contracts/v2/concepts/protocol-overview/how-uniswap-works
"""

from typing import Final

KEPT, WHOLE = 997, 1_000  # of what is paid in, after the pool's fee of 0.3 %
ELASTICITY: Final = 2  # of Ethereum, as the denominator: https://eips.ethereum.org/EIPS/eip-1559
DENOMINATOR: Final = 8


def constant_product_out(amount_in: int, reserve_in: int, reserve_out: int) -> int:
    """What a pool of two reserves pays for `amount_in`, rounded down; raises ValueError where one is nothing."""
    if min(amount_in, reserve_in, reserve_out) <= 0:
        raise ValueError(f"{amount_in} into reserves of {reserve_in} and {reserve_out} (expected all above zero)")
    paid = amount_in * KEPT
    return paid * reserve_out // (reserve_in * WHOLE + paid)


def next_base_fee_wei(base_fee_wei: int, gas_used: int, gas_limit: int) -> int:
    """The base fee that follows a block: by an eighth up if it was full, down if empty, and up by at least one wei."""
    target = gas_limit // ELASTICITY
    change = base_fee_wei * abs(gas_used - target) // target // DENOMINATOR
    if gas_used > target:
        return base_fee_wei + max(change, 1)
    return base_fee_wei - change
