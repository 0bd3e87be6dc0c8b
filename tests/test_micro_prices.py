"""The chain behind the micro-price, where its answer is known: by algebra, by simulation, and where there is none."""

import random

import numpy as np
import pytest

from ingestion.estimators.micro_prices import IMBALANCES, MIN_MOVES, MIN_STEPS, SIDE_BUCKETS, SPREADS, adjustments

Step = tuple[int, int, float]  # from state, to state, move of mid


def state(bucket: int, spread: int = 1) -> int:
    return (spread - 1) * IMBALANCES + bucket + SIDE_BUCKETS


def estimated(steps: list[Step]) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
    origins, destinations, moves = (np.array(column) for column in zip(*steps, strict=True))
    return adjustments(origins, destinations, moves.astype(float))


def momentum(hold: int = 200) -> list[Step]:
    """From a bid-heavy touch 500 of 1,000 steps move mid up by one, and `hold` of these find it bid-heavy again."""
    up, even, down = state(1), state(0), state(-1)
    return [
        *[(up, up, 1.0)] * hold,
        *[(up, even, 1.0)] * (500 - hold),
        *[(up, even, 0.0)] * 500,
        *[(even, up, 0.0)] * 500,
        *[(even, down, 0.0)] * 500,
    ]


def test_a_chain_of_three_states_has_the_adjustment_of_its_algebra() -> None:
    """g = ½ (1 + 0.4 g), as every other way leads to balance: 0.625."""
    found = estimated(momentum())

    assert found is not None
    assert found[[state(-1), state(0), state(1)]] == pytest.approx([-0.625, 0.0, 0.625], abs=1e-12)
    assert np.isnan(np.delete(found, [state(-1), state(0), state(1)])).all()


@pytest.mark.parametrize("hold", [0, 100, 300, 499])
def test_the_more_moves_follow_each_other_the_further_the_price_goes(hold: int) -> None:
    found = estimated(momentum(hold))

    assert found is not None
    assert found[state(1)] == pytest.approx(0.5 / (1 - 0.5 * hold / 500), rel=1e-12)


def test_waiting_in_place_changes_nothing() -> None:
    """How fast snapshots follow each other plays no part."""
    patient = [*momentum(), *[(state(bucket), state(bucket), 0.0) for bucket in (-1, 0, 1)] * 5_000]

    assert estimated(patient) == pytest.approx(estimated(momentum()), abs=1e-9, nan_ok=True)


def kernel(noise: random.Random) -> dict[int, list[tuple[float, int, float]]]:
    """A symmetric chain on all states: from each, ways of (probability, to state, move of mid)."""
    ways: dict[int, list[tuple[float, int, float]]] = {}
    for spread in range(1, SPREADS + 1):
        for bucket in range(SIDE_BUCKETS + 1):
            lean = bucket / SIDE_BUCKETS
            own = []
            for to_bucket in (bucket - 1, bucket, bucket + 1, -bucket):
                for move in (-1.0, 0.0, 1.0):
                    weight = noise.uniform(0.2, 1) * (1 + lean * move) * (3 if move == 0 else 1)
                    to_bucket = max(-SIDE_BUCKETS, min(SIDE_BUCKETS, to_bucket))
                    own.append((weight, state(to_bucket, noise.randint(1, SPREADS)), move))
            if bucket == 0:  # its own mirror image
                own += [(weight, mirrored(end), -move) for weight, end, move in own]
            whole = sum(weight for weight, _, _ in own)
            ways[state(bucket, spread)] = [(weight / whole, end, move) for weight, end, move in own]
            ways[state(-bucket, spread)] = (
                [(weight / whole, mirrored(end), -move) for weight, end, move in own]
                if (bucket)
                else ways[state(bucket, spread)]
            )
    return ways


def mirrored(each: int) -> int:
    spread, bucket = divmod(each, IMBALANCES)
    return spread * IMBALANCES + IMBALANCES - 1 - bucket


def value(ways: dict[int, list[tuple[float, int, float]]]) -> list[float]:
    """The expected move of mid for ever after, by repeated substitution in g = E[move + g(next)]."""
    worth = [0.0] * (SPREADS * IMBALANCES)
    for _ in range(5_000):
        worth = [sum(p * (move + worth[end]) for p, end, move in ways[each]) for each in range(len(worth))]
        worth = [(own - worth[mirrored(each)]) / 2 for each, own in enumerate(worth)]
    return worth


def test_a_simulated_chain_gives_back_what_it_was_made_of() -> None:
    """300,000 steps: the scatter of a state's value is under a twentieth of a tick."""
    noise = random.Random(7)
    ways = kernel(noise)
    steps: list[Step] = []
    here = state(0)
    for _ in range(300_000):
        [(_, end, move)] = noise.choices(ways[here], [p for p, _, _ in ways[here]])
        steps.append((here, end, move))
        here = end
    truth, found = np.array(value(ways)), estimated(steps)

    assert found is not None
    worst = float(np.abs(found - truth).max())
    print(f"micro-price of a simulated chain: worst {worst:.3f} of up to {truth.max():.3f} ticks")  # noqa: T201
    assert truth.max() > 0.3
    assert worst < 0.05


def test_it_is_antisymmetric_and_zero_in_balance_whatever_was_seen() -> None:
    noise = random.Random(11)
    steps: list[Step] = [
        (
            noise.randrange(SPREADS * IMBALANCES),
            noise.randrange(SPREADS * IMBALANCES),
            noise.choice((-0.5, 0.0, 0.5, 2.0)),
        )
        for _ in range(3_000)
    ]
    found = estimated(steps)

    assert found is not None
    by_spread = found.reshape(SPREADS, IMBALANCES)
    assert (by_spread == -by_spread[:, ::-1]).all()
    assert (by_spread[:, SIDE_BUCKETS] == 0).all()


class TestWithoutAnAnswer:
    def test_too_few_steps(self) -> None:
        assert estimated(momentum()[:: len(momentum()) // (MIN_STEPS - 1) + 1]) is None

    def test_too_few_moves(self) -> None:
        still = [(state(b), state(-b), 0.0) for b in (-1, 1)] * MIN_STEPS
        assert estimated([*still, *[(state(1), state(-1), 1.0)] * (MIN_MOVES - 1)]) is None
        assert estimated([*still, *[(state(1), state(-1), 1.0)] * MIN_MOVES]) is not None

    def test_a_part_that_mid_never_leaves(self) -> None:
        """Once the spread is two ticks wide, this chain stays there and nothing moves."""
        stuck = [(state(1, 2), state(0, 2), 0.0), (state(0, 2), state(1, 2), 0.0)] * 100

        assert estimated([*momentum(), (state(1), state(1, 2), 0.0), *stuck]) is None

    def test_a_lean_that_never_ends(self) -> None:
        """Bid-heavy for ever, up for ever: the expected move has no bound."""
        assert estimated([(state(1), state(1), 1.0)] * MIN_STEPS) is None

    def test_the_hours_last_state_may_lead_nowhere(self) -> None:
        found = estimated([*momentum(), (state(1), state(4, 3), 2.0)])

        assert found is not None
        assert found[state(1)] == pytest.approx(0.625, rel=1e-12)
        assert np.isnan(found[state(4, 3)])
