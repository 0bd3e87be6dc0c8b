"""The seed of margin tiers holds together: one tier for every size and day, and no margin that jumps without cause."""

import csv
from collections import defaultdict
from datetime import date
from itertools import groupby, pairwise
from pathlib import Path

import pytest

SEED = Path(__file__).parents[1] / "dbt_project" / "seeds" / "margin_tiers.csv"
WITHOUT_JUMPS = {"binance_usdm", "binance_coinm", "hyperliquid"}  # their pages state what is deducted

Tier = dict[str, str]
Ladder = tuple[str, ...]


def ladders() -> dict[Ladder, list[Tier]]:
    """Tiers by contract and the days that they hold for, each ladder from its lowest size."""
    with SEED.open() as lines:
        rows = list(csv.DictReader(lines))
    found: dict[Ladder, list[Tier]] = defaultdict(list)
    for row in rows:
        named = ("venue", "kind", "underlying", "is_inverse", "valid_from", "valid_to")
        found[tuple(row[name] for name in named)].append(row)
    return {held: sorted(tiers, key=lambda tier: float(tier["size_floor"])) for held, tiers in found.items()}


LADDERS = ladders()
named = pytest.mark.parametrize("held", LADDERS, ids=" ".join)


@named
def test_a_tier_begins_where_the_one_below_ends(held: Ladder) -> None:
    tiers = LADDERS[held]

    assert float(tiers[0]["size_floor"]) == 0
    assert [tier["size_cap"] for tier in tiers[:-1]] == [tier["size_floor"] for tier in tiers[1:]]


@named
def test_a_larger_position_needs_no_smaller_share_and_always_more_to_open_than_to_keep(held: Ladder) -> None:
    initial, maintenance = (
        [float(tier[f"{margin}_margin_frac"]) for tier in LADDERS[held]] for margin in ("initial", "maintenance")
    )

    assert initial == sorted(initial)
    assert maintenance == sorted(maintenance)
    assert all(kept < opened <= 1 for kept, opened in zip(maintenance, initial, strict=True))


@pytest.mark.parametrize("held", [held for held in LADDERS if held[0] in WITHOUT_JUMPS], ids=" ".join)
def test_what_is_deducted_makes_the_margin_meet_at_the_edge(held: Ladder) -> None:
    """A digit copied wrong shows here: rate and deduction of two tiers agree on the size between them."""

    def margin(tier: Tier, size: float) -> float:
        return size * float(tier["maintenance_margin_frac"]) - float(tier["maintenance_deduction"])

    for below, above in pairwise(LADDERS[held]):
        edge = float(above["size_floor"])
        assert margin(below, edge) == pytest.approx(margin(above, edge), rel=1e-6)


def test_no_day_has_two_ladders_of_one_contract() -> None:
    held = sorted(LADDERS, key=lambda ladder: (ladder[:4], date.fromisoformat(ladder[4])))
    for _, same in groupby(held, key=lambda ladder: ladder[:4]):
        for earlier, later in pairwise(same):
            assert earlier[5]
            assert date.fromisoformat(earlier[5]) <= date.fromisoformat(later[4])
