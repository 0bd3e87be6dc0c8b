"""What Deribit, OKX and Bybit are asked: of which instruments, over which span, page after page."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from ingestion.envelopes import Envelope
from ingestion.records import Instrument, Kind
from ingestion.venues.base import Plan, Refused, Reply, Request, Venue
from ingestion.venues.bybit import BYBIT
from ingestion.venues.bybit_market import next_instruments
from ingestion.venues.deribit import DERIBIT
from ingestion.venues.deribit_history import next_trades
from ingestion.venues.okx import OKX

NOW = datetime(2024, 1, 14, 20, 1, 10, tzinfo=UTC)
START = datetime(2024, 1, 14, 20, tzinfo=UTC)
PLAN = Plan(("BTC", "ETH"), START, START + timedelta(hours=1))
Recorded = Callable[[str], list[Envelope]]


def asked(venue: Venue, dataset: str, plan: Plan = PLAN) -> list[Request]:
    return [
        request
        for endpoint in venue.endpoints
        if endpoint.dataset == dataset and endpoint.requests is not None
        for request in endpoint.requests(plan)
    ]


class TestDeribit:
    def test_trades_of_the_half_open_hour(self) -> None:
        """The venue's end is inclusive: the hour's last millisecond, not the next one's first."""
        queries = [dict(request.query) for request in asked(DERIBIT, "trades")]

        for query in queries:
            assert (query["start_timestamp"], query["end_timestamp"]) == ("1705262400000", "1705265999999")
            assert query["sorting"] == "asc"
        assert [(query["currency"], query["kind"]) for query in queries] == [
            (currency, kind) for currency in ("BTC", "ETH", "USDC") for kind in ("future", "option")
        ]

    def test_no_question_leaves_the_kind_open_for_combos_would_come_too(self) -> None:
        for dataset in ("instruments", "option_quotes", "future_tickers", "trades"):
            assert all(dict(request.query).get("kind") in ("future", "option") for request in asked(DERIBIT, dataset))

    def test_what_is_settled_in_usdc_is_a_currency_and_other_coins_are_none(self) -> None:
        """SOL has no coin-settled contracts and no DVOL: to ask for them is an error at every sweep."""
        plan = Plan(("BTC", "SOL"), START, START + timedelta(hours=1))

        def currencies(dataset: str) -> set[str]:
            return {dict(request.query)["currency"] for request in asked(DERIBIT, dataset, plan)}

        assert currencies("instruments") == currencies("trades") == {"BTC", "USDC"}
        assert currencies("volatility_indices") == {"BTC"}
        assert [dict(r.query)["index_name"] for r in asked(DERIBIT, "index_prices", plan)] == [
            "btc_usd",
            "btc_usdc",
            "sol_usd",
            "sol_usdc",
        ]

    def test_bars_count_minutes_and_the_volatility_index_seconds(self) -> None:
        """Both of a minute: `resolution` means another unit on each path."""
        assert {dict(r.query)["resolution"] for r in asked(DERIBIT, "candles")} == {"1"}
        assert {dict(r.query)["resolution"] for r in asked(DERIBIT, "volatility_indices")} == {"60"}

    def test_books_of_listed_perpetuals_and_futures(self, recorded: Recorded) -> None:
        question = "currency=BTC&expired=false&kind=future"
        envelope = next(
            e for e in recorded("http/deribit.jsonl.zst") if e.query == question and "instruments" in e.path
        )
        listed = tuple(i for i in DERIBIT.parse(envelope.reply()) if isinstance(i, Instrument))
        books = asked(DERIBIT, "order_books", Plan(("BTC",), START, START, listed))

        assert [dict(book.query)["instrument_name"] for book in books] == [
            "BTC-26JUN20",
            "BTC-27MAR20",
            "BTC-PERPETUAL",
        ]

    def test_the_next_page_begins_with_the_last_trades_millisecond(self) -> None:
        """Trades share milliseconds: beginning after it would lose those the page had no room for."""
        request = asked(DERIBIT, "trades")[0]
        trade = {
            "trade_id": "1",
            "instrument_name": "BTC-PERPETUAL",
            "timestamp": 1_705_262_400_123,
            "price": 1,
            "amount": 1,
            "direction": "buy",
        }

        def page(has_more: bool) -> Reply:
            body = json.dumps({"result": {"trades": [trade], "has_more": has_more}}).encode()
            return Reply.read(request.path, request.query_string, body, NOW)

        second = next_trades(request, page(True))
        assert second is not None
        assert dict(second.query) == {**dict(request.query), "start_timestamp": "1705262400123"}
        assert next_trades(request, page(False)) is None
        with pytest.raises(Refused, match="a whole page of trades at 1705262400123 ms"):
            next_trades(second, page(True))


class TestOkx:
    def test_books_of_listed_swaps_and_of_default_ones_before_any_list(self) -> None:
        listed = (OKX.terms("BTC-USD-SWAP", "perp", NOW), OKX.terms("BTC-USDT-240329", "future", NOW))

        def symbols(plan: Plan) -> list[str]:
            return [dict(request.query)["instId"] for request in asked(OKX, "order_books", plan)]

        assert symbols(Plan(("BTC",), NOW, NOW)) == ["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP"]
        assert symbols(Plan(("BTC",), NOW, NOW, listed)) == ["BTC-USDT", "BTC-USD-SWAP", "BTC-USDT-240329"]

    def test_liquidations_by_family_of_what_is_listed(self) -> None:
        names: tuple[tuple[str, Kind], ...] = (
            ("BTC-USD-SWAP", "perp"),
            ("BTC-USDT-SWAP", "perp"),
            ("BTC-USDT-240329", "future"),
        )
        plan = Plan(("BTC",), START, START + timedelta(hours=1), tuple(OKX.terms(s, k, NOW) for s, k in names))

        assert [(dict(r.query)["instType"], dict(r.query)["instFamily"]) for r in asked(OKX, "liquidations", plan)] == [
            ("SWAP", "BTC-USD"),
            ("SWAP", "BTC-USDT"),
            ("FUTURES", "BTC-USDT"),
        ]


class TestBybit:
    def test_books_and_trades_of_every_contract_under_its_category(self) -> None:
        names: tuple[tuple[str, Kind], ...] = (
            ("BTCUSD", "perp"),
            ("BTCUSDH24", "future"),
            ("BTCPERP", "perp"),
            ("BTC3LUSDT", "spot"),
        )
        listed = tuple(BYBIT.terms(symbol, kind, NOW) for symbol, kind in names)

        def questions(dataset: str, plan: Plan) -> list[tuple[str, str]]:
            queries = [dict(request.query) for request in asked(BYBIT, dataset, plan)]
            return [(query["category"], query["symbol"]) for query in queries if query["category"] != "option"]

        for dataset in ("order_books", "trades", "candles"):
            assert questions(dataset, Plan(("BTC",), NOW, NOW)) == [
                ("spot", "BTCUSDT"),
                ("linear", "BTCUSDT"),
                ("inverse", "BTCUSD"),
            ]
            assert questions(dataset, Plan(("BTC",), NOW, NOW, listed)) == [
                ("spot", "BTCUSDT"),
                ("linear", "BTCPERP"),
                ("inverse", "BTCUSD"),
                ("inverse", "BTCUSDH24"),
            ]

    def test_trades_of_options_by_their_underlying(self) -> None:
        queries = [dict(request.query) for request in asked(BYBIT, "trades")]

        assert [query["baseCoin"] for query in queries if query["category"] == "option"] == ["BTC", "ETH"]

    def test_a_cursor_leads_to_the_next_page_of_instruments(self) -> None:
        request = asked(BYBIT, "instruments")[1]

        def page(cursor: str) -> Reply:
            body = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": cursor}}
            return Reply.read(request.path, request.query_string, json.dumps(body).encode(), NOW)

        second = next_instruments(request, page("first%3D"))
        assert second == Request(request.path, (*request.query, ("cursor", "first%3D")))
        assert next_instruments(second, page("")) is None


def test_a_listed_name_outside_okxs_grammar_is_not_asked_for() -> None:
    swap = Instrument(
        venue="okx",
        symbol="BTC-USD_UM-SWAP",
        kind="perp",
        captured_ts=START,
        base_asset="BTC",
        quote_asset="USD",
        settle_asset="USD",
        contract_size=0.01,
        amount_unit="contracts",
        is_inverse=False,
        terms_source="listed",
    )
    plan = Plan(("BTC",), START, START, (swap, replace(swap, symbol="BTC-USD_?-SWAP")))

    assert [dict(r.query)["instId"] for r in asked(OKX, "order_books", plan)] == ["BTC-USDT", "BTC-USD_UM-SWAP"]
    assert not [channel for each in OKX.streams for channel in each.channels(plan) if "?" in channel]
