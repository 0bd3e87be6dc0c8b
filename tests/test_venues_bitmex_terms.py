"""BitMEX: what a contract is worth, what its name says, what is asked of it, and what it must not take for a row."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.records import (
    Instrument,
    Kind,
    OrderBook,
    PerpTicker,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.bitmex import BITMEX
from tests import test_venues_bitmex as bitmex
from tests.test_venues import PLAN
from tests.test_venues_bitmex import HOUR, NOW, PERP, SPOT, ask, endpoint, listed, questions

replies, lists = bitmex.replies, bitmex.lists  # fixtures


class TestContractSizes:
    def test_a_linear_contract_is_a_millionth_of_a_bitcoin(self) -> None:
        terms, _, interest = listed()

        assert (terms.contract_size, terms.settle_asset, terms.is_quanto) == (0.000001, "USDT", False)
        assert interest.open_interest_qty * terms.contract_size == pytest.approx(450)

    def test_so_says_the_documented_size(self) -> None:
        documented = BITMEX.terms("XBTUSDT", "perp", NOW)

        assert (documented.contract_size, documented.settle_asset) == (0.000001, "USDT")

    @pytest.mark.parametrize(
        ("symbol", "multiplier", "contracts_a_coin", "size"),
        [("LTCUSDT", 100, 10_000, 0.0001), ("DOGEUSDT", 10_000, 100, 0.01), ("SHIBUSDT", 1_000_000, 1, 1.0)],
    )
    def test_a_linear_contract_is_a_part_of_a_coin(
        self, symbol: str, multiplier: int, contracts_a_coin: int, size: float
    ) -> None:
        terms, *_ = listed(symbol=symbol, multiplier=multiplier, underlyingToPositionMultiplier=contracts_a_coin)

        assert terms.contract_size == size

    def test_two_fields_that_tell_different_sizes_are_rejected(self) -> None:
        [reject] = listed(multiplier=100)

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_an_inverse_contract_of_other_parts(self) -> None:
        """-1,000,000 satoshi a price of one, out of 100,000,000 to a bitcoin: a hundredth of the quote currency."""
        inverse = {"multiplier": -1_000_000, "underlyingToSettleMultiplier": -100_000_000, "settlCurrency": "XBt"}
        terms, *_ = listed(symbol="XBTETH", quoteCurrency="ETH", isInverse=True, **inverse)

        assert (terms.contract_size, terms.quote_asset, terms.settle_asset) == (0.01, "ETH", "BTC")

    def test_margin_in_ether_is_counted_in_gwei(self) -> None:
        inverse = {"multiplier": -1_000_000_000, "underlyingToSettleMultiplier": -1_000_000_000}
        terms, _, interest = listed(
            symbol="ETHUSD_ETH",
            underlying="ETH",
            quoteCurrency="USD",
            settlCurrency="Gwei",
            isInverse=True,
            openValue=2_500_000_000,
            **inverse,
        )

        assert (terms.contract_size, terms.settle_asset, interest.open_interest_base) == (1.0, "ETH", 2.5)

    def test_spot_is_counted_in_contracts_too(self) -> None:
        [terms, ticker] = ask("instrument/active", [SPOT])

        assert (terms.kind, terms.contract_size, terms.settle_asset) == ("spot", 0.00000001, "USDT")
        assert type(ticker) is SpotTicker
        assert (ticker.bid_px, ticker.ask_px) == (88_155.1, None)
        assert BITMEX.terms("XBT_USDT", "spot", NOW).contract_size == 0.00000001

    @pytest.mark.parametrize("currency", ["MAMUSd", "USD", "xbt", ""])
    def test_a_currency_of_unknown_scale_is_no_contract_size(self, currency: str) -> None:
        [reject] = listed(settlCurrency=currency)

        assert reject.rule == "unknown_terms"

    @pytest.mark.parametrize("field", ["multiplier", "underlyingToPositionMultiplier", "fundingInterval"])
    def test_what_no_perpetual_lacks_is_not_guessed(self, field: str) -> None:
        [reject] = listed(**{field: None})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert field in reject.reason

    def test_open_value_is_coin_of_an_inverse_contract_only(self) -> None:
        assert listed()[2].open_interest_base is None

    def test_a_row_that_tells_no_open_interest_still_tells_its_terms(self) -> None:
        assert [type(item) for item in listed(openInterest=None)] == [Instrument, PerpTicker]


class TestFundingIntervals:
    @pytest.mark.parametrize(("written", "interval_s"), [("01T08", 28_800), ("01T01", 3_600), ("02T00", 86_400)])
    def test_an_interval_is_an_instant_after_the_first_of_2000(self, written: str, interval_s: int) -> None:
        terms, ticker, _ = listed(fundingInterval=f"2000-01-{written}:00:00.000Z")

        assert (terms.funding_interval_s, ticker.funding_interval_s) == (interval_s, interval_s)

    @pytest.mark.parametrize(
        ("written", "rule"),
        [
            ("2000-01-01T00:00:00.000Z", "interval"),
            ("1999-12-31T16:00:00.000Z", "interval"),
            ("2000-01-01T08:00:00.500Z", "interval"),
            ("2000-01-01T08:00:00.000", "schema"),
            (28_800, "schema"),
        ],
    )
    def test_no_other_instant_is_an_interval(self, written: object, rule: str) -> None:
        [reject] = listed(fundingInterval=written)

        assert isinstance(reject, Reject)
        assert reject.rule == rule


class TestNames:
    @pytest.mark.parametrize(
        ("symbol", "kind"),
        [("ETHUSDT", "perp"), ("ETHUSD_ETH", "perp"), ("SOLUSD", "perp"), ("ETH_USDT", "spot"), ("SOLH26", "future")],
    )
    def test_sizes_that_only_the_list_tells_are_not_guessed(self, symbol: str, kind: Kind) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, kind, NOW)

        assert caught.value.rule == "unknown_terms"

    @pytest.mark.parametrize("symbol", [".BXBT", "xbtusd", "XBT-USD", "", "XBT_", "XBTUSD_EUR"])
    def test_what_is_no_contract_is_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, "perp", NOW)

        assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize(("symbol", "kind"), [("XBTUSD", "future"), ("XBTZ26", "perp"), ("XBT_USDT", "perp")])
    def test_a_name_of_another_kind_contradicts(self, symbol: str, kind: Kind) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, kind, NOW)

        assert caught.value.rule == "contradiction"

    @pytest.mark.parametrize(
        ("symbol", "base", "quote", "expiry_ts"),
        [
            ("XBTH26", "BTC", "USD", datetime(2026, 3, 27, 12, tzinfo=UTC)),
            ("ETHUSDZ26", "ETH", "USD", datetime(2026, 12, 25, 12, tzinfo=UTC)),
            ("ETHM26", "ETH", "BTC", datetime(2026, 6, 26, 12, tzinfo=UTC)),
        ],
    )
    def test_a_future_is_delivered_at_noon_of_the_last_friday(
        self, symbol: str, base: str, quote: str, expiry_ts: datetime
    ) -> None:
        terms = BITMEX.terms(symbol, "future", NOW)

        assert (terms.base_asset, terms.quote_asset, terms.expiry_ts) == (base, quote, expiry_ts)

    def test_documented_terms_are_the_listed_ones(self, lists: Any) -> None:
        """Where the venue's guides tell the size of a contract, its lists of 2019 and 2021 told the same."""
        checked = 0
        for told in lists:
            for symbol, items in told.items():
                real = items[Instrument]
                try:
                    terms = BITMEX.terms(symbol, real.kind, real.captured_ts)
                except Refused:
                    continue
                for field in Instrument.__struct_fields__:
                    if field not in ("tick_size_px", "lot_size_qty", "terms_source"):
                        assert getattr(terms, field) == getattr(real, field), (symbol, field)
                checked += 1

        assert checked >= 10

    def test_a_perpetual_with_a_futures_name_is_rejected(self) -> None:
        """Books and trades have nothing but the name."""
        [reject] = listed(symbol="XBTZ26")

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"


def all_pages(dataset: str, path: str, stamps: list[datetime], **asked: str) -> list[int]:
    """Every row that the follow-ups get from a venue that skips `start` of the rows since `startTime`."""
    follow = endpoint(dataset).follow
    assert follow is not None
    written = [at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1_000:03}Z" for at in stamps]
    request: Request | None = Request(f"/api/v1/{path}", tuple({**asked, "start": "0"}.items()))
    got: list[int] = []
    while request is not None:
        now = dict(request.query)
        since = [n for n, at in enumerate(written) if at >= now["startTime"]]
        page = since[int(now["start"]) :][: int(now["count"])]
        got += page
        body = json.dumps([{"timestamp": written[n]} for n in page]).encode()
        request = follow(request, Reply(request.path, {}, body, NOW))
    return got


class TestQuestions:
    @pytest.mark.parametrize("a_millisecond", [1, 7, 999, 1_000, 2_500, 5_003])
    def test_every_trade_is_in_one_page_however_many_share_a_millisecond(self, a_millisecond: int) -> None:
        first = datetime(2026, 1, 2, 12, tzinfo=UTC)
        stamps = [first + timedelta(milliseconds=n // a_millisecond) for n in range(5_003)]
        [asked] = questions("trades", Plan(("BTC",), first, first + HOUR))

        assert all_pages("trades", "trade", stamps, **asked) == list(range(5_003))

    def test_a_page_that_is_full_to_the_last_row_is_followed_by_an_empty_one(self) -> None:
        first = datetime(2026, 1, 2, 12, tzinfo=UTC)
        stamps = [first + timedelta(seconds=n) for n in range(2_000)]
        [asked] = questions("trades", Plan(("BTC",), first, first + HOUR))

        assert all_pages("trades", "trade", stamps, **asked) == list(range(2_000))

    def test_an_hour_ends_before_the_next_begins(self) -> None:
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("trades", Plan(("BTC",), start, start + HOUR))

        assert (asked["startTime"], asked["endTime"]) == ("2026-01-02T12:00:00.000Z", "2026-01-02T12:59:59.999Z")

    def test_bars_are_asked_for_by_their_ends(self) -> None:
        """Of the hour from 12 to 13, the bar is labelled 13:00."""
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("candles", Plan(("BTC",), start, start + HOUR))

        assert (asked["startTime"], asked["endTime"]) == ("2026-01-02T13:00:00.000Z", "2026-01-02T13:59:59.999Z")
        assert (asked["binSize"], asked["partial"]) == ("1h", "false")

    def test_settlements_are_asked_for_far_enough_back_that_consecutive_ones_prove_the_interval(self) -> None:
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("funding_rates", Plan(("BTC",), start, start + HOUR))

        assert asked["startTime"] == "2025-12-30T13:00:00.000Z"

    def test_bitcoin_is_asked_for_as_xbt(self) -> None:
        plan = Plan(("BTC", "ETH"), NOW - HOUR, NOW)

        assert [q["symbol"] for q in questions("order_books", plan)] == ["XBTUSD", "ETHUSD"]
        assert [q["symbol"] for q in questions("index_prices", plan)] == [".BXBT", ".BETH"]

    def test_the_types_that_are_asked_for_are_told_apart_by_the_filter(self) -> None:
        """A future that the question for perpetuals tells would be of no phase."""
        asked = {
            dataset: questions(dataset)[0]["filter"] for dataset in ("perp_tickers", "future_tickers", "spot_tickers")
        }

        assert {dataset: json.loads(filtered) for dataset, filtered in asked.items()} == {
            "perp_tickers": {"state": "Open", "typ": "FFWCSX"},
            "future_tickers": {"state": "Open", "typ": "FFCCSX"},
            "spot_tickers": {"state": "Open", "typ": "IFXXXP"},
        }
        for dataset, filtered in asked.items():
            assert [d for d in asked if endpoint(d).when({"filter": filtered})] == [dataset]

    def test_who_is_not_logged_in_may_ask_30_times_a_minute(self) -> None:
        asked = sum(len(e.requests(PLAN)) * e.weight for e in BITMEX.endpoints if e.requests is not None)

        assert asked <= BITMEX.weight_per_minute == 30


class TestHostileReplies:
    @pytest.mark.parametrize(
        "path", ["instrument/active", "instrument", "orderBook/L2", "trade", "funding", "trade/bucketed"]
    )
    def test_an_error_is_no_list_whatever_its_status(self, path: str) -> None:
        error = {"error": {"message": "Rate limit exceeded, retry in 1 seconds.", "name": "RateLimitError"}}
        with pytest.raises(Refused) as caught:
            ask(path, error, "binSize=1h")

        assert caught.value.rule == "schema"

    def test_levels_in_any_order_are_the_same_book(self, replies: Any) -> None:
        levels = json.loads(replies("orderBook/L2")[0].body)
        shuffled = random.Random(7).sample(levels, len(levels))

        assert ask("orderBook/L2", shuffled) == ask("orderBook/L2", levels)

    def test_a_book_is_of_one_symbol(self) -> None:
        level = {"symbol": "XBTUSD", "id": 1, "side": "Buy", "size": 100, "price": 88_000}
        [book] = ask("orderBook/L2", [level])

        assert book == OrderBook(
            venue="bitmex",
            symbol="XBTUSD",
            kind="perp",
            captured_ts=NOW,
            bid_px=(88_000.0,),
            bid_qty=(100.0,),
            ask_px=(),
            ask_qty=(),
        )
        for levels in ([], [level, {**level, "symbol": "ETHUSD"}]):
            with pytest.raises(Refused) as caught:
                ask("orderBook/L2", levels)
            assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize("typ", ["FFMCSX", "FFICSX", "FFSCSX", "OCECCS"])
    def test_what_is_no_contract_of_ours_is_left_out(self, typ: str) -> None:
        [terms, *_] = ask("instrument/active", [{"symbol": "XBTH26_M26", "typ": typ}, PERP])

        assert terms.symbol == "XBTUSDT"
        with pytest.raises(Refused) as caught:
            ask("instrument/active", [{"symbol": "XBTH26_M26", "typ": typ}])
        assert caught.value.rule == "retired"

    def test_a_type_that_is_new_is_rejected_and_not_left_out(self) -> None:
        [reject] = listed(typ="FFXXXX")

        assert isinstance(reject, Reject)
        assert reject.rule == "unknown_terms"

    def test_no_instruments_at_all_are_no_rejects(self) -> None:
        assert ask("instrument/active", []) == []

    @pytest.mark.parametrize("changed", [{"symbol": 7}, {"typ": None}, {"lotSize": "100"}, {"timestamp": None}])
    def test_one_damaged_row_does_not_cost_the_others(self, changed: dict[str, object]) -> None:
        row = {name: value for name, value in {**PERP, **changed}.items() if value is not None}
        rejects = [item for item in ask("instrument/active", [row, PERP]) if isinstance(item, Reject)]

        assert [reject.rule for reject in rejects] == ["schema"]

    @pytest.mark.parametrize("stamp", ["2026-01-02T12:00:00.000", "yesterday", ""])
    def test_a_time_without_its_zone_is_none(self, stamp: str) -> None:
        row = {"timestamp": stamp, "symbol": "XBTUSD", "side": "Buy", "size": 100, "price": 1, "trdMatchID": "a"}
        [reject] = ask("trade", [row])

        assert isinstance(reject, Reject)

    def test_a_trade_without_a_side_is_rejected(self) -> None:
        row = {"timestamp": "2026-01-02T12:00:00.000Z", "symbol": "XBTUSD", "size": 100, "price": 1, "trdMatchID": "a"}
        reject, trade = ask("trade", [row | {"side": ""}, row | {"side": "Sell"}])

        assert isinstance(reject, Reject)
        assert isinstance(trade, Trade)
