"""What Deribit, OKX and Bybit are asked: of which instruments, over which span, page after page."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import Instrument, Kind
from ingestion.venues.base import Plan, Refused, Reply, Request, Venue
from ingestion.venues.bybit import BYBIT
from ingestion.venues.bybit_market import next_instruments
from ingestion.venues.deribit import DERIBIT
from ingestion.venues.deribit_replies import next_trades
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
        query = dict(asked(DERIBIT, "trades")[0].query)

        assert (query["start_timestamp"], query["end_timestamp"]) == ("1705262400000", "1705265999999")
        assert (query["instrument_name"], query["sorting"]) == ("BTC-PERPETUAL", "asc")

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
        assert symbols(Plan(("BTC",), NOW, NOW, listed)) == ["BTC-USDT", "BTC-USD-SWAP"]


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
            return [(query["category"], query["symbol"]) for query in queries]

        for dataset in ("order_books", "trades"):
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

    def test_a_cursor_leads_to_the_next_page_of_instruments(self) -> None:
        request = asked(BYBIT, "instruments")[1]

        def page(cursor: str) -> Reply:
            body = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": cursor}}
            return Reply.read(request.path, request.query_string, json.dumps(body).encode(), NOW)

        second = next_instruments(request, page("first%3D"))
        assert second == Request(request.path, (*request.query, ("cursor", "first%3D")))
        assert next_instruments(second, page("")) is None
