"""The forward of an expiry whose venue tells none: put-call parity of the look's marks, in dollars and in coin."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.estimators.implied_vols import implied_vols
from ingestion.hours import hour_of
from ingestion.records import Instrument, OptionQuote
from tests.option_chains import SIDES, Chain, OptionType, black, contract
from tests.toy_hour import to_table

AT = datetime(2026, 3, 4, 13, 30, tzinfo=UTC)
EXPIRY = AT + timedelta(days=20)
STRIKES = [60, 70, 80, 85, 90, 95, 100, 105, 110, 115, 120, 130, 145, 160]
FORWARD, VOL = 103.0, 0.6
TOTAL_VOL = VOL * math.sqrt(20 / 365)


def told(
    strike: float, side: OptionType, *, is_inverse: bool, after_s: float = 0, forward: float = FORWARD, **prices: Any
) -> Chain:
    """An option bid and asked 1 % around its worth, which is its mark; `prices` say otherwise."""
    worth = black(forward, strike, TOTAL_VOL, side) / (forward if is_inverse else 1)
    said = {"bid_px": worth * 0.99, "ask_px": worth * 1.01, "mark_px": worth, **prices}
    quote = OptionQuote(
        venue="planted", kind="option", symbol=f"{strike:g}-{side}", captured_ts=AT + timedelta(seconds=after_s), **said
    )
    return [(quote, contract(quote, "BTC", EXPIRY, strike, side, is_inverse=is_inverse))]


def estimate(chain: Chain) -> dict[tuple[str, datetime], dict[str, Any]]:
    hour = hour_of(AT)
    quotes, terms = ([pair[n] for pair in chain] for n in (0, 1))
    table = implied_vols(to_table(OptionQuote, hour, quotes), to_table(Instrument, hour, terms))
    return {(row["symbol"], row["captured_ts"]): row for row in table.to_pylist()}


@pytest.mark.parametrize("is_inverse", [False, True], ids=["dollars", "coin"])
class TestAChainWithoutForwards:
    def test_has_that_of_parity_and_its_vol_at_every_strike(self, is_inverse: bool) -> None:
        rows = estimate([row for k in STRIKES for side in SIDES for row in told(k, side, is_inverse=is_inverse)])

        assert {row["forward_source"] for row in rows.values()} == {"parity"}
        assert {round(row["forward_px"], 9) for row in rows.values()} == {FORWARD}
        for row in rows.values():
            assert row["mark_iv_ann"] == pytest.approx(VOL, abs=1e-6)

    def test_gives_it_to_a_strike_that_has_no_mark(self, is_inverse: bool) -> None:
        rows = estimate(
            [
                row
                for k in STRIKES
                for side in SIDES
                for row in told(k, side, is_inverse=is_inverse, **({"mark_px": None} if k == 120 else {}))
            ]
        )

        row = rows["120-call", AT]
        assert (row["forward_source"], row["mark_iv_reason"]) == ("parity", "no_quote")
        assert row["mid_iv_ann"] == pytest.approx(VOL, abs=1e-9)
        assert row["bid_iv_ann"] < VOL < row["ask_iv_ann"]

    def test_gives_it_to_the_look_and_not_beyond(self, is_inverse: bool) -> None:
        """Call, put and a price without a mark, in replies of their own; five minutes later no pair is told."""
        rows = estimate(
            [
                *told(100, "call", is_inverse=is_inverse),
                *told(100, "put", is_inverse=is_inverse, after_s=2),
                *told(120, "call", is_inverse=is_inverse, after_s=4, mark_px=None),
                *told(120, "put", is_inverse=is_inverse, after_s=304),
            ]
        )

        sources = {row["symbol"]: row["forward_source"] for row in rows.values()}
        assert sources == {"100-call": "parity", "100-put": "parity", "120-call": "parity", "120-put": None}

    def test_takes_the_newest_marks_of_the_look(self, is_inverse: bool) -> None:
        rows = estimate(
            [
                row
                for after_s, forward in ((10, FORWARD), (0, 90.0))
                for side in SIDES
                for row in told(100, side, is_inverse=is_inverse, after_s=after_s, forward=forward)
            ]
        )

        assert {round(row["forward_px"], 9) for row in rows.values()} == {FORWARD}

    def test_is_not_asked_where_the_venue_tells_one(self, is_inverse: bool) -> None:
        rows = estimate(
            [
                *told(100, "call", is_inverse=is_inverse, forward_px=104.0),
                *told(100, "put", is_inverse=is_inverse, bid_px=None, ask_px=None),
            ]
        )

        assert (rows["100-call", AT]["forward_source"], rows["100-call", AT]["forward_px"]) == ("venue", 104.0)
        assert rows["100-put", AT]["forward_source"] == "parity"
        assert rows["100-put", AT]["forward_px"] == pytest.approx(FORWARD, abs=1e-9)


def test_marks_that_no_forward_explains_give_none() -> None:
    """A call over its put by a whole coin would be a forward without bound."""
    chain = told(100, "call", is_inverse=True, mark_px=1.2) + told(100, "put", is_inverse=True, mark_px=0.1)

    assert {row["forward_px"] for row in estimate(chain).values()} == {None}


@pytest.mark.parametrize("is_inverse", [False, True], ids=["dollars", "coin"])
@pytest.mark.parametrize("forward", [0.02, 103.0, 95_000.0])
@pytest.mark.parametrize("ratio", [-0.5, 0.0, 0.5])
def test_any_pair_of_one_strike_tells_its_forward(forward: float, ratio: float, is_inverse: bool) -> None:
    strike = forward * math.exp(ratio)
    rows = estimate([row for side in SIDES for row in told(strike, side, is_inverse=is_inverse, forward=forward)])

    assert [row["forward_px"] for row in rows.values()] == pytest.approx([forward] * 2, rel=1e-9)
