"""A pool's and a block's arithmetic is exact."""

from fractions import Fraction
from random import Random

import pytest

from ingestion.pools import constant_product_out, next_base_fee_wei

COIN = 10**18


@pytest.mark.parametrize(
    ("amounts", "paid"), [((1, 5, 10), 1_662_497_915_624_478_906), ((1, 10, 5), 453_305_446_940_074_565)]
)
def test_a_pool_pays_what_its_contract_pays(amounts: tuple[int, int, int], paid: int) -> None:
    amount_in, reserve_in, reserve_out = (amount * COIN for amount in amounts)

    assert constant_product_out(amount_in, reserve_in, reserve_out) == paid


def test_a_pool_never_pays_more_than_keeps_its_product_and_one_unit_more_would() -> None:
    dice = Random(997)
    for _ in range(500):
        amount_in, reserve_in, reserve_out = (dice.randrange(1, 10 ** dice.randrange(1, 30)) for _ in range(3))
        paid = constant_product_out(amount_in, reserve_in, reserve_out)
        kept = reserve_in + Fraction(997, 1_000) * amount_in

        assert kept * (reserve_out - paid) >= reserve_in * reserve_out > kept * (reserve_out - paid - 1)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="expected all above zero"):
        constant_product_out(COIN, 0, COIN)


@pytest.mark.parametrize(
    ("used", "fee"),
    [(10_000_000, 1_000_000_000), (9_000_000, 987_500_000), (11_000_000, 1_012_500_000), (20_000_000, 1_125_000_000)],
)
def test_the_next_base_fee_moves_with_how_full_the_block_was(used: int, fee: int) -> None:
    assert next_base_fee_wei(1_000_000_000, used, 20_000_000) == fee


def test_a_fee_rises_by_a_wei_at_least_and_never_falls_below_nothing() -> None:
    assert next_base_fee_wei(1, 11, 20) == 2
    assert next_base_fee_wei(0, 0, 20) == 0
