"""Arbitrage across venues and around triangles: generated books through the models, against a second opinion."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

import duckdb
import pytest

from tests.built_models import build, stage_hours
from tests.walked_books import (
    SIZES,
    Levels,
    Row,
    agree,
    at_rate,
    best,
    buy,
    compare,
    compare_gain,
    read,
    sell,
    spend,
    taker_fees,
)

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
FEES = taker_fees()
USDT_USD = 0.999
ETH_USD, GAS_GWEI = 2_500.0, 20.0


@dataclass
class Book:
    """A generated book, sizes in coins; `late_s` seconds after the hour."""

    venue: str
    kind: str
    symbol: str
    base: str
    quote: str
    late_s: float
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    contract_usd: float | None = None  # of an inverse contract
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.at = HOUR + timedelta(seconds=self.late_s)

    def stored(self) -> tuple[list[float], ...]:
        """Prices and sizes as the venue counts them."""
        unit = self.contract_usd
        sides = [[(px, size if unit is None else size * px / unit) for px, size in s] for s in (self.bids, self.asks)]
        return tuple([level[n] for level in side] for side in sides for n in (0, 1))


def ladder(dice: Random, mid: float, half_bps: float, size: float, levels: int = 25) -> tuple[Any, Any]:
    """Two sides around a mid, steps of up to 4 bps."""
    sides = []
    for sign in (-1, 1):
        px, side = mid * (1 + sign * half_bps / 1e4), []
        for _ in range(levels):
            side.append((px, size * dice.uniform(0.2, 2.0)))
            px *= 1 + sign * dice.uniform(0.2, 4.0) / 1e4
        sides.append(side)
    return sides[0], sides[1]


def generated(dice: Random) -> list[Book]:
    """Five spot and three perpetual books of BTC, and a triangle, each looked at five times."""
    books = []
    for look in range(5):
        size = 8.0 if look == 1 else 4.0  # in coins of 60,000: a hundred and some thousand dollars in all
        for venue, kind, symbol, quote, contract_usd in (
            ("binance_spot", "spot", "BTCUSDT", "USDT", None),
            ("okx", "spot", "BTC-USDT", "USDT", None),
            ("bybit", "spot", "BTCUSDT", "USDT", None),
            ("kraken", "spot", "XBT/USD", "USD", None),
            ("kraken_futures", "perp", "PF_XBTUSD", "USD", None),
            ("bybit", "perp", "BTCUSDT", "USDT", None),
            ("binance_coinm", "perp", "BTCUSD_PERP", "USD", 100.0),
        ):
            mid = 60_000 * (1 + dice.gauss(0, 40) / 1e4) / (USDT_USD if quote == "USDT" else 1)
            late = 300.0 * look + dice.choice([0.0, 0.25, 0.5, 2.0, 7.0])
            bids, asks = ladder(dice, mid, 0.5, size / 10)
            books.append(Book(venue, kind, symbol, "BTC", quote, late, bids, asks, contract_usd))
        for symbol, quote, mid, size in (("ETHUSDT", "USDT", 2_502.5, 15.0), ("ETHBTC", "BTC", 2_500 / 60_000, 15.0)):
            bids, asks = ladder(dice, mid * (1 + dice.gauss(0, 60) / 1e4), 0.5, size)
            books.append(Book("binance_spot", "spot", symbol, "ETH", quote, 300.0 * look + 0.5, bids, asks))
        bids, asks = ladder(dice, 2_502.5 * (1 + dice.gauss(0, 40) / 1e4), 0.5, 15.0)
        books.append(Book("okx", "spot", "ETH-USDT", "ETH", "USDT", 300.0 * look, bids, asks))
    return books


AS_IT_WAS, DOUBLED, BETTER_BID, DEARER_ASK = 1_500.0, 1_560.0, 1_620.0, 1_680.0  # seconds after the hour


def varied(dice: Random) -> list[Book]:
    """Two books that overlap, as they were and with one thing changed each time; nothing else is seen near them."""
    asks, bids = ladder(dice, 60_000, 0.5, 1.0)[1], ladder(dice, 60_240, 0.5, 1.0)[0]
    looks = {
        AS_IT_WAS: (asks, bids),
        DOUBLED: ([(px, 2 * size) for px, size in asks], [(px, 2 * size) for px, size in bids]),
        BETTER_BID: (asks, [(bids[0][0] * 1.0005, bids[0][1]), *bids[1:]]),
        DEARER_ASK: ([(px * 1.0002, size) for px, size in asks], bids),
    }
    books = []
    for late, (offered, wanted) in looks.items():
        for venue, symbol, mid in (("binance_spot", "BTCUSDT", 60_000), ("okx", "BTC-USDT", 60_240)):
            own_bids, own_asks = ladder(Random(1), mid, 20.0, 1.0)
            sides = (own_bids, offered) if venue == "binance_spot" else (wanted, own_asks)
            books.append(Book(venue, "spot", symbol, "BTC", "USDT", late, *sides))
    return books


GENERATED = [*generated(Random(20260304)), *varied(Random(4))]
RATE_EVERY_S = 30


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What the models make of the generated books, of gas on Ethereum and of a rate between USDT and USD."""
    path = stage_hours(tmp_path_factory.mktemp("arbitrage"), hours=[HOUR])
    with duckdb.connect(str(path)) as connection:
        for book in GENERATED:
            bid_px, bid_qty, ask_px, ask_qty = book.stored()
            connection.execute(
                "insert into lake.order_books by name select ? as utc_hour, ? as venue, ? as kind, ? as symbol, "
                "? as captured_ts, ? as bid_px, ? as bid_qty, ? as ask_px, ? as ask_qty",
                [HOUR, book.venue, book.kind, book.symbol, book.at, bid_px, bid_qty, ask_px, ask_qty],
            )
        for book in {(book.venue, book.kind, book.symbol): book for book in GENERATED}.values():
            is_inverse = book.contract_usd is not None
            connection.execute(
                "insert into lake.instruments by name select ? as utc_hour, ? as venue, ? as kind, ? as symbol, "
                "? as captured_ts, ? as base_asset, ? as quote_asset, ? as settle_asset, ? as contract_size, "
                "? as amount_unit, ? as is_inverse, false as is_quanto, 'listed' as terms_source",
                [
                    *(HOUR, book.venue, book.kind, book.symbol, HOUR, book.base, book.quote, book.quote),
                    *(book.contract_usd or 1.0, "contracts" if is_inverse else "base", is_inverse),
                ],
            )
        for base, px in (("USDT", USDT_USD), ("ETH", ETH_USD)):
            for second in range(0, 1_800, RATE_EVERY_S):
                connection.execute(
                    "insert into lake.index_prices by name select ? as utc_hour, 'deribit' as venue, ? as symbol, "
                    "'spot' as kind, ? as captured_ts, ? as base_asset, 'USD' as quote_asset, ? as index_px",
                    [HOUR, base, HOUR + timedelta(seconds=second), base, px],
                )
        connection.execute(
            "insert into lake.gas_prices by name select ? as utc_hour, 'ethereum' as venue, 'ETH' as symbol, "
            "'spot' as kind, ? as captured_ts, 1 as chain_id, 7 as block_number, ? as base_fee_wei, "
            "1000000000 as priority_fee_p50_wei, 0.5 as gas_used_frac",
            [HOUR, HOUR, round((GAS_GWEI - 1) * 1e9)],
        )
    build(path, "fct_arbitrage", "fct_gas_costs")
    return read(path, "select * from facts.fct_arbitrage order by all")


def known(books: list[Book], at: datetime) -> Book | None:
    """The newest look at one book, at or before an instant."""
    return max((book for book in books if book.at <= at), key=lambda book: book.at, default=None)


def expected() -> dict[tuple[str, datetime], tuple[Book, Book, float]]:
    """Every ordered pair of books within five seconds, and the rate between their currencies."""
    series: dict[tuple[str, str, str], list[Book]] = {}
    for book in GENERATED:
        series.setdefault((book.venue, book.kind, book.symbol), []).append(book)
    found = {}
    for buys, sells in permutations(series.values(), 2):
        one, other = buys[0], sells[0]
        if (
            one.venue == other.venue
            or (one.kind, one.base) != (other.kind, other.base)
            or "BTC" in (one.quote, other.quote)
        ):
            continue
        rate = 1.0 if one.quote == other.quote else USDT_USD if other.quote == "USDT" else 1 / USDT_USD
        for at in {book.at for book in (*buys, *sells)}:
            bought, sold = known(buys, at), known(sells, at)
            if bought and sold and abs((bought.at - sold.at).total_seconds()) <= 5:
                legs = f"{one.venue} {one.kind} {one.symbol} > {other.venue} {other.kind} {other.symbol}"
                found[legs, at] = (bought, sold, rate)
    return found


def test_the_second_opinion_knows_the_answer_that_the_definitions_print() -> None:
    asks, bids = [(50_000, 0.4), (50_010, 0.6), (50_050, 2)], [(50_200, 0.5), (50_180, 0.7), (50_100, 3)]
    gain, top = spend(asks, bids, 75_031, 0.001, 0.0005), best(asks, bids, 0.001, 0.0005)

    assert gain
    assert (gain.base, gain.gross) == (1.5, 225)
    assert gain.fees == pytest.approx(112.659, abs=1e-9)
    assert gain.net - 180_000 * 26.5e-9 * 2_500 == pytest.approx(100.416, abs=1e-9)
    assert (top.base, top.net) == (1.2, pytest.approx(119.871, abs=1e-9))


class TestCrossVenue:
    def test_there_is_a_row_for_each_two_books_of_two_venues_within_five_seconds(self, rows: list[Row]) -> None:
        told = {(row["legs_id"], row["captured_ts"]) for row in rows if row["arbitrage_kind"] == "cross_venue"}

        assert told == expected().keys()
        assert len(told) > 80

    def test_each_size_and_the_best_agree_with_the_second_opinion(self, rows: list[Row]) -> None:
        pairs, worst = expected(), dict[str, float]()
        for row in rows:
            if row["arbitrage_kind"] != "cross_venue":
                continue
            bought, sold, rate = pairs[row["legs_id"], row["captured_ts"]]
            fees = FEES[bought.venue, bought.kind][0], FEES[sold.venue, sold.kind][0]
            bids = at_rate(sold.bids, rate)
            compare(worst, row, "quote_rate", rate)
            compare(worst, row, "gross_top_bps", 1e4 * (bids[0][0] / bought.asks[0][0] - 1), 1e4)
            for name, usd in SIZES.items():
                compare_gain(worst, row, name, spend(bought.asks, bids, usd, *fees), usd)
            top = best(bought.asks, bids, *fees)
            compare(worst, row, "best_size_base", top.base)
            compare(worst, row, "best_size_usd", top.spent)
            compare(worst, row, "best_gross_usd", top.gross, top.spent)
            compare(worst, row, "best_fees_usd", top.fees, top.spent)
            compare(worst, row, "best_net_usd", top.net, top.spent)
        agree("cross venue", worst)

    def test_most_sizes_are_met_and_some_are_not(self, rows: list[Row]) -> None:
        """Else the comparison above would have compared little."""
        told = [row for row in rows if row["arbitrage_kind"] == "cross_venue"]

        assert {row["net_10k_usd"] is None for row in told} == {False}
        assert {row["net_1m_usd"] is None for row in told} == {True, False}
        assert {row["best_size_usd"] > 0 for row in told} == {True, False}

    def test_only_books_within_a_second_can_be_traded_together(self, rows: list[Row]) -> None:
        for row in rows:
            if row["arbitrage_kind"] == "cross_venue":
                bought, sold, _ = expected()[row["legs_id"], row["captured_ts"]]
                skew_ms = abs((bought.at - sold.at).total_seconds()) * 1e3

                assert row["skew_ms"] == pytest.approx(skew_ms, abs=1e-3)
                assert row["is_executable"] == (skew_ms <= 1_000)

    def test_coins_and_money_are_brought_back_by_gas_and_positions_stand(self, rows: list[Row]) -> None:
        """ETH by 21,000 gas and USDT by 65,000, told 15 minutes ago at most; nothing moves BTC or a bank's dollars."""
        told_until = HOUR + timedelta(minutes=15)
        gas_usd = (21_000 + 65_000) * GAS_GWEI * 1e-9 * ETH_USD
        seen = set()
        for row in rows:
            if row["arbitrage_kind"] != "cross_venue":
                continue
            is_told = row["underlying"] == "ETH" and row["captured_ts"] <= told_until
            moved = 0.0 if row["buy_kind"] == "perp" else gas_usd if is_told else None
            seen.add(moved)

            assert row["gas_usd"] == (None if moved is None else pytest.approx(moved))
            assert row["is_transfer_needed"] == (row["buy_kind"] == "spot")
            if moved is not None:
                assert row["net_after_transfer_10k_usd"] == pytest.approx(row["net_10k_usd"] - moved)
        assert seen == {0.0, gas_usd, None}

    def test_selling_where_it_was_bought_gains_the_inverse_less_both_spreads(self, rows: list[Row]) -> None:
        """Exchanging the sides flips the sign: nothing gains both ways."""
        told = {
            (row["buy_venue"], row["buy_symbol"], row["sell_venue"], row["sell_symbol"], row["captured_ts"]): row
            for row in rows
            if row["arbitrage_kind"] == "cross_venue"
        }
        for (venue, symbol, other, other_symbol, at), row in told.items():
            back = told[other, other_symbol, venue, symbol, at]

            assert (1 + row["gross_top_bps"] / 1e4) * (1 + back["gross_top_bps"] / 1e4) < 1
            assert min(row["best_size_usd"], back["best_size_usd"]) == 0


class TestProperties:
    """Of one pair of books, at a look where one thing was changed."""

    NETS = ("net_10k_usd", "net_100k_usd", "net_1m_usd", "best_net_usd")

    @pytest.fixture
    def looks(self, rows: list[Row]) -> dict[float, Row]:
        legs = "binance_spot spot BTCUSDT > okx spot BTC-USDT"
        told = {(row["captured_ts"] - HOUR).total_seconds(): row for row in rows if row["legs_id"] == legs}
        return {late: told[late] for late in (AS_IT_WAS, DOUBLED, BETTER_BID, DEARER_ASK)}

    def test_twice_the_sizes_bring_twice_as_much_at_twice_the_size(self, looks: dict[float, Row]) -> None:
        one, two = looks[AS_IT_WAS], looks[DOUBLED]

        assert one["best_net_usd"] > 0
        for name in ("best_size_base", "best_size_usd", "best_gross_usd", "best_fees_usd", "best_net_usd"):
            assert two[name] == pytest.approx(2 * one[name], rel=1e-12)
        assert (two["gross_top_bps"], two["net_top_bps"]) == (one["gross_top_bps"], one["net_top_bps"])

    def test_a_better_bid_brings_more_and_a_dearer_ask_less_at_every_size(self, looks: dict[float, Row]) -> None:
        better, one, dearer = looks[BETTER_BID], looks[AS_IT_WAS], looks[DEARER_ASK]

        compared = [name for name in self.NETS if one[name] is not None]
        assert len(compared) >= 3
        for name in compared:
            assert better[name] > one[name] > dearer[name]

    def test_a_larger_order_never_nets_more_a_dollar(self, looks: dict[float, Row]) -> None:
        for row in looks.values():
            shares = [row[f"net_{name}_usd"] / usd for name, usd in SIZES.items() if row[f"net_{name}_usd"] is not None]
            assert shares == sorted(shares, reverse=True)
            assert max(row[f"net_{name}_usd"] or 0 for name in SIZES) <= row["best_net_usd"] * (1 + 1e-12)


def around(first: Levels, via: Levels, last: Levels, money: float, kept: float, *, is_via_bought: bool) -> float | None:
    """Money after three legs, each less its fee; none where a book ends."""
    coins = buy(first, money)
    if coins is None:
        return None
    others = (buy if is_via_bought else sell)(via, coins * kept)
    if others is None:
        return None
    back = sell(last, others * kept)
    return None if back is None else back * kept


def highest(value: Any, low: float, high: float) -> float:
    """The maximum of a concave function by thirds; what it cannot say counts as the lowest."""
    for _ in range(300):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if value(left) < value(right) else (low, right)
    return max(value(low), 0.0)


class TestTriangles:
    def test_the_product_of_walked_rates_and_the_best_size_agree(self, rows: list[Row]) -> None:
        kept, worst, gains = 1 - FEES["binance_spot", "spot"][0], dict[str, float](), []
        for row in rows:
            if row["arbitrage_kind"] != "triangular":
                continue
            own = [book for book in GENERATED if book.venue == "binance_spot"]
            named = {
                symbol: known([b for b in own if b.symbol == symbol], row["captured_ts"])
                for symbol in ("BTCUSDT", "ETHUSDT", "ETHBTC")
            }
            btc, eth, cross = named["BTCUSDT"], named["ETHUSDT"], named["ETHBTC"]
            assert btc
            assert eth
            assert cross
            is_through = row["buy_symbol"] == "BTCUSDT"
            legs = (btc.asks, cross.asks, eth.bids) if is_through else (eth.asks, cross.bids, btc.bids)

            def net(money: float, legs: Any = legs, through: bool = is_through) -> float:
                back = around(*legs, money, kept, is_via_bought=through)
                return -1e18 * money if back is None else back - money

            for name, usd in SIZES.items():
                back = around(*legs, usd, kept, is_via_bought=is_through)
                compare(worst, row, f"gross_{name}_usd", None if back is None else back / kept**3 - usd, usd)
                compare(worst, row, f"net_{name}_usd", None if back is None else back - usd, usd)
            top = highest(net, 0.0, 1e6)
            gains.append(top)
            compare(worst, row, "best_net_usd", top, max(row["best_size_usd"], 1.0))
        agree("triangular", worst)
        assert max(gains) > 0
        assert min(gains) == 0

    def test_they_are_at_one_venue_and_move_nothing(self, rows: list[Row]) -> None:
        told = [row for row in rows if row["arbitrage_kind"] == "triangular"]

        assert {(row["buy_venue"], row["sell_venue"], row["via_symbol"]) for row in told} == {
            ("binance_spot", "binance_spot", "ETHBTC")
        }
        assert {row["transfer_usd"] for row in told} == {0.0}
