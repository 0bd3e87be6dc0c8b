"""An hour's raw objects become canonical rows, and one hostile payload costs no more than itself."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ingestion.envelopes import Envelope, Unreadable
from ingestion.hours import hour_of
from ingestion.records import Instrument, OrderBook, PerpTicker, Trade
from ingestion.venues import VENUES
from tests.toy_hour import ReadHour, read_hour
from tests.toy_venue import AT, HOUR, TOY, key, reply, row


def normalised(*objects: tuple[str, list[Envelope]]) -> ReadHour:
    return read_hour(TOY, HOUR, objects)


def test_rows_go_to_the_dataset_of_their_kind_whatever_object_they_came_in() -> None:
    hour = normalised((key("trades"), [reply("trades", row("trades")), reply("candles", row("candles"))]))

    assert set(hour.records) == {"trades", "candles", "instruments"}
    assert hour.objects == {"trades": frozenset({key("trades")}), "candles": frozenset({key("trades")})}
    assert hour.rejects == []


class TestAHostilePayloadCostsNoMoreThanItself:
    @pytest.mark.parametrize("status", [204, 301, 400, 418, 429, 500, 503])
    def test_a_reply_with_another_status_is_refused_unread(self, status: int) -> None:
        hour = normalised(
            (key("trades"), [reply("trades", row("trades"), status=status), reply("trades", row("trades"))])
        )

        assert hour.rules == ["http_status"]
        assert len(hour.records["trades"]) == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>maintenance</html>",
            b"",
            b"\xff\xfe",
            b"{",
            b"[[]]",
            b"[1]",
            b"[null]",
            b"7",
            b"[" * 100_000,
        ],
    )
    def test_a_body_that_trips_the_parser_costs_the_reply(self, body: bytes) -> None:
        hour = normalised((key("trades"), [reply("trades", body=body), reply("trades", row("trades", trade_id="2"))]))

        assert hour.rules == ["parser"]
        assert hour.rejects[0]["object_key"] == key("trades")
        assert hour.scopes == {("trades", "reply"): 1}
        assert len(hour.records["trades"]) == 1

    def test_rows_before_a_refusal_of_the_whole_reply_do_not_count(self) -> None:
        hour = normalised((key("trades"), [reply("trades", row("trades"), {"refuse": "half of it"})]))

        assert [(r["rule_id"], r["reason"]) for r in hour.rejects] == [("schema", "half of it")]
        assert hour.scopes == {("trades", "reply"): 1}
        assert hour.records == {}

    def test_a_row_that_cannot_be_read_costs_one_row(self) -> None:
        hour = normalised((key("trades"), [reply("trades", {"reject": "no price"}, row("trades"))]))

        assert [(r["rule_id"], r["reason"]) for r in hour.rejects] == [("schema", "no price")]
        assert hour.scopes == {("trades", "row"): 1}
        assert len(hour.records["trades"]) == 1

    def test_an_endpoint_that_no_parser_knows_is_refused(self) -> None:
        assert normalised((key("trades"), [reply("nowhere")])).rules == ["unknown_endpoint"]

    def test_an_object_that_breaks_off_keeps_what_came_before(self) -> None:
        def broken_off() -> Any:
            yield reply("trades", row("trades"))
            raise Unreadable("object line 2: damaged zstd stream")

        hour = read_hour(TOY, HOUR, [(key("trades"), broken_off())])

        assert hour.rules == ["unreadable_object"]
        assert len(hour.records["trades"]) == 1

    @pytest.mark.parametrize("captured_ts", [None, "yesterday", "0001-01-01T00:00:00+14:00"])
    def test_a_reply_without_a_capture_time_is_refused(self, captured_ts: str | None) -> None:
        bare = msgspec.structs.replace(reply("trades", row("trades")), captured_ts=captured_ts)

        assert normalised((key("trades"), [bare])).rules == ["envelope"]

    def test_a_reply_or_row_of_another_venue_is_refused(self) -> None:
        foreign = msgspec.structs.replace(reply("trades", row("trades")), venue="other")

        assert normalised((key("trades"), [foreign])).rules == ["venue"]
        assert normalised((key("trades"), [reply("trades", row("trades", venue="other"))])).rules == ["venue"]

    def test_a_quarantined_row_shows_the_number_that_broke_it(self) -> None:
        hour = normalised((key("trades"), [reply("trades", row("trades", px=float("nan")))]))

        assert hour.rules == ["finite"]
        assert '"px": NaN' in hour.rejects[0]["row"]


class TestDuplicates:
    def test_an_equal_row_is_said_once(self) -> None:
        book = reply("order_books", row("order_books"))
        hour = normalised((key("order_books"), [book, book]), (key("order_books", "b"), [book]))

        assert len(hour.records["order_books"]) == 1
        assert hour.rejects == []

    def test_a_trade_seen_twice_keeps_its_first_sighting(self) -> None:
        later = AT + timedelta(minutes=5)
        hour = normalised(
            (key("trades", "b"), [reply("trades", row("trades"), at=later)]),
            (key("trades", "a"), [reply("trades", row("trades"))]),
        )

        assert [trade.captured_ts for trade in hour.records["trades"]] == [AT]
        assert hour.rejects == []

    def test_two_trades_of_one_id_that_differ_are_not_one(self) -> None:
        later = AT + timedelta(minutes=5)
        hour = normalised(
            (key("trades", "b"), [reply("trades", row("trades", px=101.0), at=later)]),
            (key("trades", "a"), [reply("trades", row("trades"))]),
        )

        assert [trade.px for trade in hour.records["trades"] if isinstance(trade, Trade)] == [100.0]
        assert hour.rules == ["conflicting_duplicate"]
        assert hour.rejects[0]["object_key"] == key("trades", "b")

    def test_an_aggregate_does_not_stand_for_a_trade_of_the_same_id(self) -> None:
        hour = normalised((key("trades"), [reply("trades", row("trades"), row("trades", is_aggregate=True))]))

        assert len(hour.records["trades"]) == 2

    def test_a_corrected_bar_replaces_the_earlier_one(self) -> None:
        later = AT + timedelta(minutes=5)
        hour = normalised(
            (key("candles"), [reply("candles", row("candles", close_px=101.5), at=later)]),
            (key("candles", "b"), [reply("candles", row("candles"))]),
        )

        assert [candle.captured_ts for candle in hour.records["candles"]] == [later]

    def test_two_endpoints_that_complete_each_other_make_one_row(self) -> None:
        bare = {"symbol": "BTC-USD-PERP", "kind": "perp", "event_ts": AT.isoformat()}
        hour = normalised(
            (key("perp_tickers"), [reply("perp_tickers", {**bare, "mark_px": 100.0, "index_px": 99.0})]),
            (key("perp_tickers", "b"), [reply("perp_tickers", {**bare, "last_px": 98.0, "mark_px": 100.0})]),
        )

        [ticker] = hour.records["perp_tickers"]
        assert isinstance(ticker, PerpTicker)
        assert (ticker.mark_px, ticker.index_px, ticker.last_px, ticker.bid_px) == (100.0, 99.0, 98.0, None)

    def test_two_snapshots_of_one_instant_that_disagree_are_not_merged(self) -> None:
        hour = normalised(
            (key("perp_tickers"), [reply("perp_tickers", row("perp_tickers", mark_px=p)) for p in (1.0, 2.0)])
        )

        assert len(hour.records["perp_tickers"]) == 1
        assert hour.rules == ["conflicting_duplicate"]

    def test_permuted_repeated_and_split_objects_equal_the_oracle(self) -> None:
        """The oracle is a plain dictionary by trade id that shares no code with the normaliser."""
        dice = random.Random(7)
        said = [row("trades", trade_id=str(n), px=100.0 + n / 8, qty=1.0 + n % 5) for n in range(2_000)]
        oracle = {values["trade_id"]: values["px"] for values in said}

        outcomes = []
        for _ in range(5):
            mess = said + dice.choices(said, k=1_000)
            dice.shuffle(mess)
            cuts = sorted(dice.sample(range(len(mess)), 9))
            pages = [mess[a:b] for a, b in zip([0, *cuts], [*cuts, len(mess)], strict=True)]
            hour = normalised(*((key("trades", str(n)), [reply("trades", *page)]) for n, page in enumerate(pages)))
            assert hour.rejects == []
            outcomes.append(hour.records["trades"])
            assert {t.trade_id: t.px for t in hour.records["trades"] if isinstance(t, Trade)} == oracle
            assert len(hour.records["trades"]) == len(oracle)

        assert all(outcome == outcomes[0] for outcome in outcomes)


def test_the_order_of_raw_objects_changes_nothing() -> None:
    dice = random.Random(11)
    objects = [
        (key(dataset, str(n)), [reply(dataset, row(dataset), at=AT + timedelta(seconds=n))])
        for dataset in ("order_books", "perp_tickers", "funding_rates", "instruments", "trades")
        for n in range(4)
    ]
    objects += [(key("trades", "x"), [reply("trades", row("trades", px=p)) for p in (1.0, 2.0, -1.0)])]
    first = normalised(*objects)

    for _ in range(10):
        dice.shuffle(objects)
        assert normalised(*objects) == first


class TestInstruments:
    def test_what_rows_name_and_nobody_lists_is_completed_as_documented(self) -> None:
        later = AT + timedelta(minutes=5)
        hour = normalised(
            (
                key("trades"),
                [reply("trades", row("trades", trade_id="2"), at=later), reply("trades", row("trades"))],
            )
        )

        [terms] = hour.records["instruments"]
        assert isinstance(terms, Instrument)
        assert (terms.symbol, terms.kind, terms.terms_source) == ("BTC-USD-PERP", "perp", "documented")
        assert terms.captured_ts == AT
        assert terms.event_ts is None

    def test_each_list_of_the_hour_stays_and_is_preferred_to_the_documentation(self) -> None:
        """A change holds from the list that first shows it, so none may overwrite another."""
        later = AT + timedelta(minutes=5)
        hour = normalised(
            (key("instruments"), [reply("instruments", row("instruments", contract_size=10.0), at=later)]),
            (key("instruments", "b"), [reply("instruments", row("instruments", contract_size=100.0))]),
            (key("trades"), [reply("trades", row("trades"))]),
        )

        terms = [row for row in hour.records["instruments"] if isinstance(row, Instrument)]
        assert [(each.captured_ts, each.contract_size) for each in terms] == [(AT, 100.0), (later, 10.0)]
        assert {each.terms_source for each in terms} == {"listed"}

    def test_what_two_lists_of_one_instant_tell_is_one_row(self) -> None:
        """A venue may tell the tick in one reply and the funding interval in another."""
        hour = normalised(
            (key("instruments"), [reply("instruments", row("instruments", tick_size_px=0.1))]),
            (
                key("instruments", "b"),
                [reply("instruments", row("instruments", tick_size_px=None, funding_interval_s=14_400))],
            ),
        )

        [terms] = hour.records["instruments"]
        assert isinstance(terms, Instrument)
        assert (terms.tick_size_px, terms.funding_interval_s) == (0.1, 14_400)
        assert hour.rejects == []

    def test_an_instrument_without_terms_keeps_its_rows_and_is_told(self) -> None:
        hour = normalised((key("trades"), [reply("trades", row("trades", symbol="MYSTERY"))]))

        assert len(hour.records["trades"]) == 1
        assert hour.rules == ["unknown_symbol"]
        assert hour.scopes == {("instruments", "terms"): 1}

    def test_an_index_is_no_instrument(self) -> None:
        hour = normalised((key("index_prices"), [reply("index_prices", row("index_prices", symbol="btc_usd"))]))

        assert "instruments" not in hour.records
        assert hour.rejects == []


def recorded_hour(recorded: Callable[[str], list[Envelope]], name: str, venue: str, hour: datetime) -> ReadHour:
    envelopes = [
        envelope
        for envelope in recorded(name)
        if envelope.venue == venue and envelope.at is not None and hour_of(envelope.at) == hour
    ]
    return read_hour(VENUES[venue], hour, [(f"raw/{venue}/recorded/{name}", envelopes)])


def test_the_recorded_books_of_august_2024_all_pass(recorded: Callable[[str], list[Envelope]]) -> None:
    hour = datetime(2024, 8, 8, 23, tzinfo=UTC)
    books: dict[tuple[str, str], int] = {}
    for venue in ("binance_spot", "binance_usdm", "binance_coinm"):
        found = recorded_hour(recorded, "binance_l2_2024-08-08/rest.jsonl.zst", venue, hour)
        assert found.rejects == []
        for book in found.records["order_books"]:
            assert isinstance(book, OrderBook)
            books[venue, book.symbol] = books.get((venue, book.symbol), 0) + 1
        terms = {i.symbol: i.terms_source for i in found.records["instruments"] if isinstance(i, Instrument)}
        assert set(terms) == {symbol for name, symbol in books if name == venue}
        assert set(terms.values()) == {"documented"}

    assert books == {
        ("binance_spot", "BTCUSDT"): 69,
        ("binance_spot", "ETHUSDT"): 69,
        ("binance_usdm", "BTCUSDT"): 68,
        ("binance_usdm", "ETHUSDT"): 68,
        ("binance_coinm", "BTCUSD_PERP"): 68,
        ("binance_coinm", "ETHUSD_PERP"): 68,
    }


def test_the_recorded_deribit_options_of_january_2024_all_pass(
    recorded: Callable[[str], list[Envelope]],
) -> None:
    hour = datetime(2024, 1, 14, 20, tzinfo=UTC)
    found = recorded_hour(recorded, "http/deribit.jsonl.zst", "deribit", hour)

    assert len(found.records["option_quotes"]) == 984
    assert [r for r in found.rejects if r["dataset"] == "option_quotes"] == []
