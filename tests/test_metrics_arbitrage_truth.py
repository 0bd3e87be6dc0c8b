"""Arbitrage where the truth is known: planted by the sandbox, parity of its options, real books as recorded."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb
import pytest

from ingestion.pools import constant_product_out
from ingestion.sandbox.chain import block_of, deviation, reserves
from ingestion.sandbox.market import Market
from ingestion.venues.chains import UNISWAP_V2
from ingestion.venues.evm_pools import Pool
from orchestration.pipeline import Pipeline
from orchestration.settings import Settings
from tests.built_models import build, stage_hours
from tests.replayed import BOOKS, Replay, recorded_replies, replayed_books
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

__all__ = ["replayed_books"]

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
FEES = taker_fees()
SHIFTED = ("okx", "deribit")  # whose books the sandbox shows 50 bps dearer than its market is


@dataclass(frozen=True)
class Planted:
    """An hour of the sandbox with dear books at two venues: what was made of it, and the option quotes below."""

    rows: list[Row]
    marts: list[Row]
    quotes: dict[tuple[str, str, datetime], Row]

    def of(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row["arbitrage_kind"] == kind]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    settings = Settings(
        lake_uri=f"file://{folder / 'lake'}",
        warehouse_path=folder / "warehouse.duckdb",
        source="sandbox",
        venues=("binance_spot", "binance_usdm", "okx", "bybit", "deribit", "ethereum"),
        sweep_minutes=20,
        sandbox_faults=("okx:/market/books:shifted:1.0", "deribit:/get_order_book:shifted:1.0"),
    )
    pipeline = Pipeline(settings)
    datasets = {"instruments", "order_books", "index_prices", "spot_tickers", "option_quotes"}
    datasets |= {"gas_prices", "pool_reserves"}
    pipeline.capture([HOUR], [pair for pair in pipeline.pairs if pair[1] in datasets])
    pipeline.ingest([HOUR], settings.venues)
    path = stage_hours(folder, pipeline.lake, [HOUR])
    build(path, "mart_arbitrage_daily", closed_before=str(HOUR + timedelta(days=1)))
    quotes = read(path, "select * from lake.option_quotes")
    return Planted(
        read(path, "select * from facts.fct_arbitrage"),
        read(path, "select * from marts.mart_arbitrage_hourly"),
        {(quote["venue"], quote["symbol"], quote["captured_ts"]): quote for quote in quotes},
    )


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


def served(market: Market, row: Row, leg: str, side: str) -> Levels:
    """One side of a book of that leg as the sandbox served it, sizes in coins."""
    listing = market.listing(row[f"{leg}_venue"], row[f"{leg}_kind"], row[f"{leg}_symbol"], row["captured_ts"])
    book, levels = market.book_of(listing, row["captured_ts"]), []
    for px, qty in zip(getattr(book, f"{side}_px").tolist(), getattr(book, f"{side}_qty").tolist(), strict=True):
        # Deribit prints a number with as many decimals as it has, OKX text with as many as the tick.
        decimals = len(str(px).partition(".")[2]) if listing.venue == "deribit" else listing.px_dp
        shown = round(px * 1.005, decimals) if listing.venue in SHIFTED else px
        levels.append((shown, listing.usd_of(qty, shown) / shown))
    return levels[:100] if listing.venue == "deribit" else levels


class TestPlanted:
    def test_it_is_found_at_its_size_and_net_and_nowhere_else(self, planted: Planted, market: Market) -> None:
        worst, found, told = dict[str, float](), 0, planted.of("cross_venue")
        for row in told:
            fees = FEES[row["buy_venue"], row["buy_kind"]][0], FEES[row["sell_venue"], row["sell_kind"]][0]
            top = best(
                served(market, row, "buy", "ask"),
                at_rate(served(market, row, "sell", "bid"), row["quote_rate"]),
                *fees,
            )
            is_planted = row["sell_venue"] in SHIFTED and row["buy_venue"] not in SHIFTED

            assert (row["best_size_usd"] > 0) == is_planted == (top.base > 0)
            assert row["is_executable"]
            found += is_planted
            compare(worst, row, "best_size_base", top.base)
            compare(worst, row, "best_size_usd", top.spent)
            compare(worst, row, "best_net_usd", top.net, top.spent)
        agree(f"planted: {found} of {len(told)} rows", worst)
        assert 0 < found < len(told)

    def test_what_it_brings_is_the_shift_less_the_fees(self, planted: Planted) -> None:
        """The venues' own spots are up to 1.4 bps apart and the half spreads 0.3 each."""
        sold = [row for row in planted.of("cross_venue") if row["sell_venue"] == "okx" and row["buy_kind"] == "spot"]

        assert sold
        for row in sold:
            assert row["gross_top_bps"] == pytest.approx(50, abs=2.0)
            assert row["net_top_bps"] == pytest.approx(50 - 20, abs=2.1)


@dataclass(frozen=True)
class Traded:
    """A row between a pool and a book by the sandbox's truth: reserves as the chain counts them, levels as served."""

    row: Row
    market: Market

    @property
    def is_pool_bought(self) -> bool:
        return bool(self.row["buy_venue"] == "ethereum")

    @property
    def pool(self) -> Pool:
        return next(pool for pool in UNISWAP_V2 if pool.address in (self.row["buy_symbol"], self.row["sell_symbol"]))

    @property
    def book_venue(self) -> str:
        return str(self.row["sell_venue" if self.is_pool_bought else "buy_venue"])

    @property
    def fee(self) -> float:
        return FEES[self.book_venue, "spot"][0]

    def traded(self, paid: float) -> tuple[float, float] | None:
        """What is spent and brought before the book's fee: for money paid into the pool, or coins bought for it."""
        coins, money = reserves(self.market, self.pool, self.row["captured_ts"])
        money_unit, coin_unit = 10**self.pool.quote.decimals, 10**self.pool.base.decimals
        if self.is_pool_bought:
            bought = constant_product_out(round(paid * money_unit), money, coins) / coin_unit
            bids = at_rate(served(self.market, self.row, "sell", "bid"), self.row["quote_rate"])
            sold = sell(bids, bought)
            return None if sold is None else (paid, sold)
        spent = sell(served(self.market, self.row, "buy", "ask"), paid)
        out = constant_product_out(round(paid * coin_unit), coins, money) / money_unit
        return None if spent is None else (spent, out * self.row["quote_rate"])

    def net(self, paid: float) -> float:
        """After the book's fee and before gas; the pool's is in what it pays."""
        found = self.traded(paid)
        if found is None:
            return float("-inf")
        spent, brought = found
        return brought - spent - self.fee * (brought if self.is_pool_bought else spent)


class TestPools:
    def told(self, planted: Planted, market: Market) -> list[Traded]:
        return [Traded(row, market) for row in planted.of("on_chain")]

    def test_each_size_agrees_with_the_chains_whole_numbers(self, planted: Planted, market: Market) -> None:
        """Of 10,000 dollars a chain that counts in millionths cuts off at most 1e-10."""
        worst = dict[str, float]()
        for each in self.told(planted, market):
            for name, usd in SIZES.items():
                paid = usd if each.is_pool_bought else buy(served(market, each.row, "buy", "ask"), usd)
                net = None if paid is None else each.net(paid) - each.row["swap_gas_usd"] * 1.02
                compare(worst, each.row, f"net_{name}_usd", net, usd)
        agree(f"on chain: {len(planted.of('on_chain'))} rows", worst)

    def test_no_size_nets_more_than_the_best(self, planted: Planted, market: Market) -> None:
        """By thirds over sizes, each swapped in whole numbers; a swap that does not pay for its gas is none."""
        worst, gains = dict[str, float](), 0
        for each in self.told(planted, market):
            low, high = 1e-6, 3e6 if each.is_pool_bought else 1e3
            for _ in range(120):
                left, right = low + (high - low) / 3, high - (high - low) / 3
                low, high = (left, high) if each.net(left) < each.net(right) else (low, right)
            top = max(each.net(low) - each.row["swap_gas_usd"] * 1.02, 0.0)
            compare(worst, each.row, "best_net_usd", top, max(each.row["best_size_usd"], 1e4))
            gains += top > 0
        agree(f"best on chain: {gains} gain", worst)
        assert gains

    def test_what_was_planted_is_found_and_nothing_else(self, planted: Planted, market: Market) -> None:
        """120 bps for five minutes from :20 and the opposite from :40, in pools of USDC, against fair books."""
        found = set()
        for each in self.told(planted, market):
            if each.book_venue in SHIFTED:
                continue
            share = deviation(each.pool, block_of(each.row["captured_ts"])[1])
            is_planted = (share < 0) if each.is_pool_bought else (share > 0)
            assert each.row["is_executable"]
            assert (each.row["best_net_usd"] > 0) == is_planted, each.row
            if is_planted:
                assert each.row["gross_top_bps"] == pytest.approx(
                    abs(share) * 1e4, abs=8.0
                )  # a block is up to 12 s old
                assert each.row["best_size_usd"] > 10_000
                found.add((each.book_venue, each.is_pool_bought))
        assert found == {(venue, way) for venue in ("binance_spot", "bybit") for way in (True, False)}


class TestOverTime:
    """The marts against plain loops over the fact's rows."""

    def test_an_arbitrage_stands_through_every_look_where_it_was_planted_and_through_none_elsewhere(
        self, planted: Planted
    ) -> None:
        told = [row for row in planted.marts if row["arbitrage_kind"] == "cross_venue"]

        assert told
        for row in told:
            is_planted = row["sell_venue"] in SHIFTED and row["buy_venue"] not in SHIFTED
            assert row["gaining_frac"] == is_planted, row["legs_id"]
            assert (row["highest_net_ts"] is not None) == (row["highest_net_usd"] > 0) == is_planted

    def test_times_counts_and_extremes_agree_with_plain_loops(self, planted: Planted) -> None:
        looks: dict[tuple[str, str, str], list[Row]] = {}
        for row in sorted(planted.rows, key=lambda row: row["captured_ts"]):
            looks.setdefault((row["underlying"], row["arbitrage_kind"], row["legs_id"]), []).append(row)
        worst, told = dict[str, float](), planted.marts

        assert {(row["underlying"], row["arbitrage_kind"], row["legs_id"]) for row in told} == looks.keys()
        for mart in told:
            seen = looks[mart["underlying"], mart["arbitrage_kind"], mart["legs_id"]]
            ends = [row["captured_ts"] for row in seen[1:]] + [HOUR + timedelta(hours=1)]
            lasts = [min((end - row["captured_ts"]).total_seconds(), 60.0) for row, end in zip(seen, ends, strict=True)]
            had = [row for row in seen if row["is_executable"]]
            nets = [row["best_net_usd"] for row in had if row["best_net_usd"] is not None]
            known = [s for row, s in zip(seen, lasts, strict=True) if row["best_net_usd"] is not None]
            gained = [s for row, s in zip(seen, lasts, strict=True) if row in had and (row["best_net_usd"] or 0) > 0]
            gross = [row["gross_top_bps"] for row in seen if row["gross_top_bps"] is not None]

            assert (mart["looks_count"], mart["executable_looks_count"]) == (len(seen), len(had))
            assert mart["gaining_looks_count"] == len(gained)
            compare(worst, mart, "measured_s", sum(known) if known else None)
            compare(worst, mart, "gaining_s", sum(gained) if known else None, 1.0)
            compare(worst, mart, "highest_net_usd", max(nets, default=None))
            compare(worst, mart, "median_gross_top_bps", median(gross) if gross else None, 1e4)
            compare(worst, mart, "lowest_gross_top_bps", min(gross, default=None), 1e4)
            top = next((row for row in had if nets and row["best_net_usd"] == max(nets) > 0), None)
            assert mart["highest_net_ts"] == (top and top["captured_ts"])
            compare(worst, mart, "highest_net_size_usd", top and top["best_size_usd"])
        agree(f"over time: {len(told)} rows", worst)


class TestSynthetics:
    def test_each_parity_agrees_with_the_quotes_and_the_book_below_it(self, planted: Planted, market: Market) -> None:
        worst = dict[str, float]()
        for row in planted.of("synthetic"):
            is_sold = row["sell_kind"] == "option"
            future = served(market, row, "buy" if is_sold else "sell", "ask" if is_sold else "bid")[0][0]
            call, put = self.quoted(planted, row, is_sold=is_sold)
            option = market.listing(row["buy_venue"], "option", call["symbol"], row["captured_ts"])
            to_usd = call["forward_px"] if option.is_inverse else 1.0
            assert option.strike
            synthetic = option.strike + to_usd * (
                call["bid_px"] - put["ask_px"] if is_sold else call["ask_px"] - put["bid_px"]
            )
            sell_px = (synthetic if is_sold else future) * row["quote_rate"]
            buy_px = future if is_sold else synthetic
            (future_fee, future_end), (option_fee, option_end) = (
                FEES[row["buy_venue"], kind] for kind in ("future", "option")
            )
            gross_bps = 1e4 * (sell_px / buy_px - 1)
            fees_bps = None
            if future_end is not None and option_end is not None:
                fees_bps = 1e4 * (future_fee + 2 * option_fee + future_end + option_end)
            compare(worst, row, "buy_px", buy_px)
            compare(worst, row, "sell_px", sell_px)
            compare(worst, row, "gross_top_bps", gross_bps, 1e4)
            compare(worst, row, "net_top_bps", None if fees_bps is None else gross_bps - fees_bps, 1e4)
        agree(f"synthetic: {len(planted.of('synthetic'))} rows", worst)

    def test_a_dear_future_is_sold_against_its_synthetic_and_a_fair_one_never_is(self, planted: Planted) -> None:
        """Deep in the money an option's own spread is wider than what was planted."""
        gains = {
            (row["sell_venue"] in SHIFTED, row["sell_kind"])
            for row in planted.of("synthetic")
            if row["net_top_bps"] is not None and row["net_top_bps"] > 0
        }

        assert gains == {(True, "future")}

    def test_the_true_forward_lies_between_buying_and_selling_it(self, planted: Planted, market: Market) -> None:
        """Premiums are on ticks of 0.0001 coins, 1 bp of the forward an option, and Bybit's of up to 5 dollars."""
        for row in planted.of("synthetic"):
            is_sold = row["sell_kind"] == "option"
            symbol = row["sell_symbol" if is_sold else "buy_symbol"]
            option = market.listing(row["buy_venue"], "option", symbol, row["captured_ts"])
            assert option.expiry
            truth = market.forward_px(option.venue, option.asset, option.expiry, row["captured_ts"])
            if is_sold:
                assert row["sell_px"] / row["quote_rate"] <= truth * (1 + 2e-4)
            else:
                assert row["buy_px"] >= truth * (1 - 2e-4)

    def quoted(self, planted: Planted, row: Row, *, is_sold: bool) -> tuple[Row, Row]:
        call = row["sell_symbol" if is_sold else "buy_symbol"]
        at, venue = row["captured_ts"], row["buy_venue"]
        return planted.quotes[venue, call, at], planted.quotes[venue, row["via_symbol"], at]


FACE_USD = {"BTC": 100.0, "ETH": 10.0}  # of a COIN-M contract
UNRECORDED_RATE = 0.9995  # of USDT: nobody recorded one, so the test says it


class TestRecorded:
    """Two perpetuals of Binance, linear and inverse, a thousand levels deep, as they stood on 8 August 2024."""

    def test_real_books_are_walked_as_the_replies_say(self, replayed_books: Replay, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        shutil.copy(replayed_books.warehouse_path, path)
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                "insert into lake.index_prices by name select distinct utc_hour, captured_ts, 'deribit' as venue, "
                "'usdt_usd' as symbol, 'spot' as kind, 'USDT' as base_asset, 'USD' as quote_asset, ? as index_px "
                "from lake.order_books",
                [UNRECORDED_RATE],
            )
        build(path, "fct_arbitrage")
        replies: dict[tuple[str, str], list[tuple[datetime, Row]]] = {}
        for reply in recorded_replies(BOOKS):
            if reply["path"].endswith("/depth"):
                symbol = reply["query"].partition("&")[0].removeprefix("symbol=")
                at = datetime.fromisoformat(reply["recorded_at"])
                replies.setdefault((reply["venue"], symbol), []).append((at, reply["body"]))
        worst, told = dict[str, float](), read(path, "select * from facts.fct_arbitrage")
        for row in told:
            asks = self.levels(replies, row, "buy", "asks")
            bids = at_rate(self.levels(replies, row, "sell", "bids"), row["quote_rate"])
            fees = FEES[row["buy_venue"], "perp"][0], FEES[row["sell_venue"], "perp"][0]
            for name, usd in SIZES.items():
                compare_gain(worst, row, name, spend(asks, bids, usd, *fees), usd)
            top = best(asks, bids, *fees)
            compare(worst, row, "best_size_base", top.base)
            compare(worst, row, "best_net_usd", top.net, top.spent)
        agree(f"recorded: {len(told)} rows", worst)
        assert {row["quote_rate"] for row in told} == {UNRECORDED_RATE, 1 / UNRECORDED_RATE}

    def levels(
        self, replies: dict[tuple[str, str], list[tuple[datetime, Row]]], row: Row, leg: str, side: str
    ) -> list[tuple[float, float]]:
        venue, symbol = row[f"{leg}_venue"], row[f"{leg}_symbol"]
        _, body = max(
            ((at, body) for at, body in replies[venue, symbol] if at <= row["captured_ts"]), key=lambda told: told[0]
        )
        pairs = [(float(px), float(qty)) for px, qty in body[side]]
        if venue == "binance_usdm":
            return pairs
        return [(px, qty * FACE_USD[row["underlying"]] / px) for px, qty in pairs]
