"""How far the fair price stands from mid, by queue imbalance and spread: Stoikov's micro-price, hour by hour.

Snapshots are a Markov chain on (imbalance, spread). With Q its steps that leave mid where it is, T those that move
it and r the mean move of a step, the first move is G = (I − Q)⁻¹ r, the next one starts from B = (I − Q)⁻¹ T, and the
adjustment is g = G + BG + B²G + …, the expected move of mid for ever after, however fast snapshots follow each other.
Each step is counted beside its mirror image, imbalance and move reversed: g is antisymmetric and the sum finite.
Source: Stoikov, "The micro-price: a high-frequency estimator of future prices" (Quantitative Finance, 2018).
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.estimators.order_books import IDENTITY, Books, Floats, Ints, books_of

SIDE_BUCKETS = 4  # of imbalance on each side of the middle one: nine, so that balance is inside a bucket and no edge
IMBALANCES = 2 * SIDE_BUCKETS + 1
SPREADS = 3  # ticks; the last holds all that is wider
MIN_STEPS = 500
MIN_MOVES = 50  # steps that move mid
MAX_CONDITION = 1e10

SCHEMA = pa.schema(
    [
        *IDENTITY,
        pa.field("imbalance_bucket", pa.int64()),
        pa.field("spread_ticks", pa.int64()),
        pa.field("tick_size_px", pa.float64()),
        pa.field("adjustment_px", pa.float64()),
        pa.field("steps_count", pa.int64()),
        pa.field("moves_count", pa.int64()),
    ]
)


def micro_prices(order_books: pa.Table, instruments: pa.Table) -> pa.Table:
    """One row per instrument and state that was seen, `SCHEMA`, from lake tables of one venue and hour.

    None for an instrument without one listed tick, with under `MIN_STEPS` steps or `MIN_MOVES` moves of mid, or whose
    chain has a part that mid never leaves.
    """
    if not order_books.num_rows or not instruments.num_rows:
        return SCHEMA.empty_table()
    books = books_of(order_books, instruments, 1)
    numbers = books.instruments
    rows: list[dict[str, Any]] = []
    for number in np.unique(numbers):
        is_own = numbers == number
        first = int(np.argmax(is_own))
        ticks = books.frame["tick_size_px"][is_own].unique()
        if len(ticks) != 1 or not ticks[0] > 0:
            continue
        states, half_ticks = _observed(books, is_own, float(ticks[0]))
        is_step = (states[:-1] >= 0) & (states[1:] >= 0)
        moves = np.diff(half_ticks)[is_step] / 2
        found = adjustments(states[:-1][is_step], states[1:][is_step], moves)
        if found is None:
            continue
        identity = {field.name: books.frame[field.name].iloc[first] for field in IDENTITY}
        counts = {"steps_count": len(moves), "moves_count": int(np.count_nonzero(moves))}
        for state in np.flatnonzero(np.isfinite(found)).tolist():
            spread, bucket = divmod(state, IMBALANCES)
            rows.append(
                identity
                | {"imbalance_bucket": bucket - SIDE_BUCKETS, "spread_ticks": spread + 1, "tick_size_px": ticks[0]}
                | {"adjustment_px": float(found[state] * ticks[0])}
                | counts
            )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def adjustments(origins: Ints, destinations: Ints, moves: Floats) -> Floats | None:
    """The expected move of mid from each state, in the unit of `moves`; NaN for a state that was not seen.

    One element a step of the chain: the states (spread · IMBALANCES + bucket) that it leaves and enters, and how far
    mid moves in it. None where there are too few steps or moves, or the answer is not determined.
    """
    if len(moves) < MIN_STEPS or np.count_nonzero(moves) < MIN_MOVES:
        return None
    mirror = np.arange(SPREADS * IMBALANCES).reshape(SPREADS, IMBALANCES)[:, ::-1].ravel()
    start, end = np.concatenate([origins, mirror[origins]]), np.concatenate([destinations, mirror[destinations]])
    move = np.concatenate([moves, -moves])
    while not (is_left := np.isin(end, start)).all():  # the hour's last state may lead nowhere
        start, end, move = start[is_left], end[is_left], move[is_left]
    seen = np.unique(start)
    if not len(seen):
        return None
    rank = np.full(mirror.shape, -1)
    rank[seen] = np.arange(len(seen))
    start, end, is_move = rank[start], rank[end], move != 0

    steps = np.bincount(start, minlength=len(seen))[:, None]
    stays, leaps = np.zeros((2, len(seen), len(seen)))
    np.add.at(stays, (start[~is_move], end[~is_move]), 1)
    np.add.at(leaps, (start[is_move], end[is_move]), 1)
    if not _moves_in_the_end(stays, leaps):
        return None
    drift = np.bincount(start, move, minlength=len(seen))[:, None] / steps
    solved = np.linalg.solve(np.eye(len(seen)) - stays / steps, np.hstack([drift, leaps / steps]))
    first_move, next_start = solved[:, 0], solved[:, 1:]

    # On antisymmetric functions alone the sum converges: one number for each state left of balance.
    left = np.flatnonzero(seen % IMBALANCES < SIDE_BUCKETS)
    right = rank[mirror[seen[left]]]
    onward = next_start[np.ix_(left, left)] - next_start[np.ix_(left, right)]
    system = np.eye(len(left)) - onward
    if len(left) and np.linalg.cond(system) > MAX_CONDITION:
        return None
    found = np.full(mirror.shape, np.nan)
    found[seen] = 0.0
    found[seen[left]] = np.linalg.solve(system, first_move[left])
    found[seen[right]] = -found[seen[left]]
    return found


def _observed(books: Books, is_own: NDArray[np.bool_], tick: float) -> tuple[Ints, Ints]:
    """Of each snapshot of an instrument its state, −1 where the spread is under a tick, and its mid in half ticks."""
    bid_px, ask_px = books.bid_px[is_own, 0], books.ask_px[is_own, 0]
    bid_qty, ask_qty = books.bid_qty[is_own, 0], books.ask_qty[is_own, 0]
    imbalance = (bid_qty - ask_qty) / (bid_qty + ask_qty)
    far = np.floor(np.minimum(np.abs(imbalance) * IMBALANCES / 2 + 0.5, SIDE_BUCKETS))
    bucket = (np.sign(imbalance) * far).astype(np.int64)
    spread = np.minimum(np.floor((ask_px - bid_px) / tick + 0.5), SPREADS).astype(np.int64)
    states = np.where(spread >= 1, (spread - 1) * IMBALANCES + bucket + SIDE_BUCKETS, -1)
    return states, np.rint((bid_px + ask_px) / tick).astype(np.int64)


def _moves_in_the_end(stays: Floats, leaps: Floats) -> bool:
    """Whether from every state mid can still move."""
    can_move = leaps.any(axis=1)
    for _ in range(len(stays)):
        can_move |= (stays[:, can_move] > 0).any(axis=1)
    return bool(can_move.all())
