"""One hour of a stream: what the recorder noted, what is thinned, what is refused."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from ingestion.envelopes import Envelope, Unreadable, seal
from ingestion.records import OptionQuote, OrderBook, PerpTicker, Record, StreamHole, Trade
from ingestion.streams import Sampling, read_stream
from ingestion.venues import VENUES
from ingestion.venues.base import Reject
from tests.streamed_market import HOUR
from tests.toy_hour import read_hour

Rows = list[Record | Reject]


def at(seconds: float) -> datetime:
    return HOUR + timedelta(seconds=seconds)


def line(venue: str, path: str, seconds: float, body: Any, method: str = "WS", connection: int = 0) -> Envelope:
    sealed = seal(
        venue=venue,
        host="",
        path=path,
        query=f"connection={connection}",
        status=101,
        captured_ts=at(seconds),
        body=json.dumps(body).encode(),
    )
    fields = {name: getattr(sealed, name) for name in sealed.__struct_fields__}
    return Envelope(**{**fields, "method": method})


def book(seconds: float, bid: float = 99.0, ask: float = 101.0, symbol: str = "BTC") -> Envelope:
    """Hyperliquid: every message is a whole book."""
    levels = [[{"px": str(bid), "sz": "1", "n": 1}], [{"px": str(ask), "sz": "2", "n": 1}]]
    data = {"coin": symbol, "time": int(at(seconds).timestamp() * 1_000), "levels": levels}
    return line("hyperliquid", "/ws/feed", seconds, {"channel": "l2Book", "data": data})


def note(seconds: float, event: str, venue: str = "hyperliquid", path: str = "/ws/feed", **more: Any) -> Envelope:
    return line(venue, path, seconds, {"event": event, **more}, "NOTE")


def read(venue: str, envelopes: list[Envelope | Unreadable], **more: Any) -> Rows:
    return list(read_stream(VENUES[venue], HOUR, envelopes, **more))


def holes(rows: Rows, dataset: str = "order_books") -> list[tuple[str, float, float | None]]:
    """Reason, start and end in seconds into the hour, but for its beginning and for what came after the last frame."""
    found = [
        (
            row.reason,
            (row.captured_ts - HOUR).total_seconds(),
            None if row.until_ts is None else (row.until_ts - HOUR).total_seconds(),
        )
        for row in rows
        if isinstance(row, StreamHole) and row.dataset == dataset
    ]
    return [hole for hole in found if hole[0] != "no_snapshot" and hole[2] is not None]


def seconds_sampled(rows: Rows) -> list[float]:
    return [(row.captured_ts - HOUR).total_seconds() for row in rows if isinstance(row, OrderBook)]


def test_a_book_is_sampled_at_every_second_as_it_stood_strictly_before() -> None:
    rows = read("hyperliquid", [book(0.5, bid=95), book(1.0, bid=96), book(2.9, bid=97), book(3.1, bid=98)])

    samples = [(row.captured_ts, row.bid_px, row.event_ts) for row in rows if isinstance(row, OrderBook)]
    assert samples == [
        (at(1), (95.0,), at(0.5)),
        (at(2), (96.0,), at(1.0)),
        (at(3), (97.0,), at(2.9)),
    ]


def test_how_often_and_how_deep_can_be_chosen() -> None:
    levels = [[{"px": str(99 - n), "sz": "1", "n": 1} for n in range(4)], [{"px": "101", "sz": "1", "n": 1}]]
    data = {"coin": "BTC", "time": int(HOUR.timestamp() * 1_000), "levels": levels}
    first = line("hyperliquid", "/ws/feed", 0, {"channel": "l2Book", "data": data})
    rows = read("hyperliquid", [first, book(1.1)], sampling=Sampling(every_s=0.25, levels=2))

    assert seconds_sampled(rows) == [0.25, 0.5, 0.75, 1.0]
    assert {row.bid_px for row in rows if isinstance(row, OrderBook)} == {(99.0, 98.0)}


def test_a_crossed_book_is_a_hole_until_it_is_not() -> None:
    rows = read("hyperliquid", [book(0.5), book(1.5, bid=102), book(3.5), book(4.5)])

    assert seconds_sampled(rows) == [1, 4]
    assert holes(rows) == [("crossed", 1, 3.5)]


def test_a_crossed_book_whose_diffs_prove_nothing_is_given_up() -> None:
    def frame(seconds: float, **body: Any) -> Envelope:
        return line("coinbase", "/ws/feed", seconds, {"product_id": "BTC-USD", "time": at(seconds).isoformat(), **body})

    whole = {"type": "snapshot", "bids": [["99", "1"]], "asks": [["101", "1"]]}
    crosses, mends = ({"type": "l2update", "changes": [["buy", "102", qty]]} for qty in ("1", "0"))
    told = ((0.5, whole), (1.5, crosses), (2.5, mends), (3.5, mends), (5.5, whole), (6.5, mends))
    rows = read("coinbase", [frame(seconds, **body) for seconds, body in told])

    assert seconds_sampled(rows) == [1, 6]
    assert holes(rows) == [("crossed", 1, 5.5)]


@pytest.mark.parametrize(
    ("event", "reason"),
    [("disconnected", "disconnected"), ("silent", "silence"), ("killed", "killed"), ("stopped", "disconnected")],
)
def test_a_connection_that_ends_is_a_hole_in_all_that_it_told(event: str, reason: str) -> None:
    trade = {"coin": "BTC", "side": "B", "px": "100", "sz": "1", "time": int(at(0.6).timestamp() * 1_000), "tid": 1}
    told = line("hyperliquid", "/ws/feed", 0.6, {"channel": "trades", "data": [trade]})
    rows = read(
        "hyperliquid",
        [book(0.5), told, book(1.2), note(3.5, event), note(6, "connected"), book(6.2), book(7.5)],
    )

    assert seconds_sampled(rows) == [1, 7]
    assert holes(rows) == [(reason, 1.2, 6.2)]
    assert holes(rows, "trades") == [(reason, 1.2, 6.2)]


def test_a_channel_that_moves_takes_its_hole_to_the_connection_that_carries_it() -> None:
    """As after a restart, which shares channels out anew: the hole ends where they are heard again."""

    def told(seconds: float, number: int, connection: int) -> Envelope:
        trade = {"coin": "BTC", "side": "B", "px": "100", "sz": "1", "time": int(at(seconds).timestamp() * 1_000)}
        data = [{**trade, "tid": number}]
        return line("hyperliquid", "/ws/feed", seconds, {"channel": "trades", "data": data}, connection=connection)

    def noted(seconds: float, event: str, connection: int, *channels: str) -> Envelope:
        body = {"event": event, "channels": channels}
        return line("hyperliquid", "/ws/feed", seconds, body, "NOTE", connection)

    rows = read(
        "hyperliquid",
        [
            noted(0, "connected", 0, "l2Book ETH"),
            noted(0, "connected", 1, "trades BTC"),
            told(0.5, 1, connection=1),
            noted(2, "stopped", 0),
            noted(2, "stopped", 1),
            noted(5, "connected", 0, "l2Book ETH", "trades BTC"),
            *(told(seconds, seconds, connection=0) for seconds in range(6, 3_600, 20)),
        ],
    )

    assert holes(rows, "trades") == [("disconnected", 0, 0.5), ("disconnected", 0.5, 6)]
    assert not [r for r in rows if isinstance(r, StreamHole) and r.dataset == "trades" and r.until_ts is None]


def test_a_channel_that_is_left_has_neither_samples_nor_holes_from_there_on() -> None:
    left = note(4, "left", channels=["l2Book BTC", "trades BTC"])
    both = ["l2Book BTC", "trades BTC", "l2Book ETH"]
    rows = read(
        "hyperliquid",
        [note(0, "connected", channels=both), book(0.5), book(1.5), left, book(5), note(9, "silent"), book(12)],
    )

    assert seconds_sampled(rows) == [1]
    told = [(r.symbol, r.reason, r.until_ts) for r in rows if isinstance(r, StreamHole) and r.captured_ts > at(0)]
    assert [each for each in told if each[0] == "BTC"] == []


def test_a_note_may_say_since_when() -> None:
    rows = read("hyperliquid", [book(0.5), book(9.5), note(40, "silent", since_ts=at(8).isoformat()), book(41)])

    assert ("silence", 8, 41) in holes(rows)


def test_frames_that_could_not_be_kept_are_a_hole_though_the_connection_lasts() -> None:
    channels = ["trades BTC", "l2Book BTC"]
    dropped = note(3.5, "dropped", since_ts=at(2.5).isoformat(), frames=7)
    rows = read(
        "hyperliquid", [note(0, "connected", channels=channels), book(0.5), book(2.2), dropped, book(3.6), book(4.6)]
    )

    assert seconds_sampled(rows) == [1, 2, 4]
    assert ("overflow", 2.2, 3.6) in holes(rows)
    assert ("overflow", 2.5, 3.5) in holes(rows, "trades")


def test_silence_is_told_by_the_clock_where_no_note_says_so() -> None:
    """As after a kill: the venue's heartbeat is due every few seconds."""
    rows = read("hyperliquid", [book(0.5), book(1.5), book(100), book(101)])

    assert seconds_sampled(rows) == [1, 101]
    assert holes(rows) == [("silence", 1.5, 100)]
    ends = [(row.captured_ts, row.reason) for row in rows if isinstance(row, StreamHole) and row.until_ts is None]
    assert ends == [(at(101), "silence")]


def test_a_channel_that_never_told_anything_is_in_the_ledger() -> None:
    rows = read("hyperliquid", [note(0.1, "continued", channels=["l2Book ETH", "trades ETH"]), book(0.5)])

    ledger = [(row.symbol, row.until_ts) for row in rows if isinstance(row, StreamHole) and row.symbol == "ETH"]
    assert ("ETH", None) in ledger


def test_an_object_damaged_half_way_is_a_hole() -> None:
    rows = read("hyperliquid", [book(0.5), book(1.5), Unreadable("half of it"), book(4.2), book(5.2)])

    assert seconds_sampled(rows) == [1, 5]
    assert ("gap", 1.5, 4.2) in holes(rows)


def test_a_frame_that_cannot_be_read_ends_books_that_count_nothing() -> None:
    rows = read(
        "hyperliquid", [book(0.5), book(1.5), line("hyperliquid", "/ws/feed", 1.7, {"channel": "l2Book"}), book(3)]
    )

    assert [row.rule for row in rows if isinstance(row, Reject)] == ["schema"]
    assert seconds_sampled(rows) == [1]
    assert ("gap", 1.5, 3) in holes(rows)


def test_two_books_on_one_connection_have_holes_of_their_own() -> None:
    rows = read("hyperliquid", [book(0.5), book(5.5, symbol="ETH"), book(5.7), book(6.5, symbol="ETH")])

    starts = {(row.symbol, row.until_ts) for row in rows if isinstance(row, StreamHole) and row.until_ts}
    assert starts == {("BTC", at(0.5)), ("ETH", at(5.5))}


def test_a_book_that_is_quiet_at_the_end_lasts_as_long_as_its_connection_is_heard() -> None:
    rows = read("hyperliquid", [book(3_590.5), book(3_598.2, symbol="ETH"), book(3_599.5, symbol="ETH")])

    btc = [row.captured_ts for row in rows if isinstance(row, OrderBook) and row.symbol == "BTC"]
    assert btc == [at(second) for second in range(3_591, 3_600)]
    assert max(row.captured_ts for row in rows if isinstance(row, OrderBook)) == at(3_599)


def binance_trade(seconds: float, number: int) -> Envelope:
    ms = int(at(seconds).timestamp() * 1_000)
    data = {"e": "aggTrade", "E": ms, "s": "BTCUSDT", "a": number, "p": "100.0", "q": "1", "T": ms, "m": True}
    return line("binance_usdm", "/ws/market", seconds, {"stream": "btcusdt@aggTrade", "data": data})


def test_trades_that_are_missing_are_in_the_ledger_by_their_ids() -> None:
    rows = read("binance_usdm", [binance_trade(1, 7), binance_trade(2, 8), binance_trade(3, 12), binance_trade(4, 8)])

    [hole] = [row for row in rows if isinstance(row, StreamHole) and row.reason == "gap"]
    assert (hole.dataset, hole.kind, hole.symbol) == ("trades", "perp", "BTCUSDT")
    assert (hole.captured_ts, hole.until_ts) == (at(2), at(3))
    assert (hole.missed_from_id, hole.missed_to_id) == (9, 11)
    assert len([row for row in rows if isinstance(row, Trade)]) == 4  # said once is said elsewhere


def binance_mark(seconds: float, mark: float) -> Envelope:
    ms = int(at(seconds).timestamp() * 1_000)
    data = {"e": "markPriceUpdate", "E": ms, "s": "BTCUSDT", "p": str(mark), "i": "100.5", "P": "1", "r": "0.0001"}
    frame = {"stream": "btcusdt@markPrice@1s", "data": {**data, "T": ms + 60_000}}
    return line("binance_usdm", "/ws/market", seconds, frame)


def binance_best(seconds: float, bid: float) -> Envelope:
    ms = int(at(seconds).timestamp() * 1_000)
    data = {"e": "bookTicker", "u": 1, "s": "BTCUSDT", "b": str(bid), "B": "1", "a": "200", "A": "1", "T": ms, "E": ms}
    return line("binance_usdm", "/ws/books", seconds, {"stream": "btcusdt@bookTicker", "data": data})


def test_of_quotes_that_say_the_same_the_last_of_each_second_stands_as_it_came() -> None:
    rows = read(
        "binance_usdm",
        [
            binance_best(1.1, 90),
            binance_mark(1.2, 100),
            binance_best(1.8, 91),
            binance_best(2.5, 92),
            binance_mark(2.6, 101),
        ],
    )

    told = sorted((row.captured_ts, row.bid_px, row.mark_px) for row in rows if isinstance(row, PerpTicker))
    assert told == [(at(1.2), None, 100), (at(1.8), 91, None), (at(2.5), 92, None), (at(2.6), None, 101)]


def test_options_are_thinned_to_one_a_minute() -> None:
    def quote(seconds: float, vol: str) -> Envelope:
        row = {"instId": "BTC-USD-260327-100000-C", "fwdPx": "91000", "markVol": vol, "bidVol": "0.4", "askVol": "0.6"}
        row |= {"deltaBS": "0.3", "gammaBS": "0.00002", "vegaBS": "150", "thetaBS": "-40"}
        row["ts"] = str(int(at(seconds).timestamp() * 1_000))
        arg = {"channel": "opt-summary", "instFamily": "BTC-USD"}
        return line("okx", "/ws/public", seconds, {"arg": arg, "data": [row]})

    rows = read("okx", [quote(1, "0.5"), quote(59, "0.51"), quote(61, "0.52")])

    assert [row.mark_iv_ann for row in rows if isinstance(row, OptionQuote)] == [0.51, 0.52]


def test_a_ticker_that_says_only_what_changed_stands_on_what_was_said_before() -> None:
    def ticker(seconds: float, kind: str, **row: str) -> Envelope:
        body = {"topic": "tickers.BTCUSDT", "type": kind, "ts": int(at(seconds).timestamp() * 1_000)}
        return line("bybit", "/ws/linear", seconds, {**body, "data": {"symbol": "BTCUSDT", **row}})

    first = ticker(0.2, "snapshot", bid1Price="99", bid1Size="1", markPrice="100", fundingRate="0.0001")
    rows = read("bybit", [first, ticker(1.2, "delta", bid1Price="98"), ticker(1.3, "delta", markPrice="101")])

    last = [row for row in rows if isinstance(row, PerpTicker)][-1]
    assert (last.bid_px, last.mark_px, last.funding_rate) == (98, 101, 0.0001)
    assert (last.captured_ts, last.event_ts) == (at(1.3), at(1.3))


def test_what_is_none_of_ours_is_refused_and_the_hour_goes_on() -> None:
    failed = seal(
        venue="binance_spot",
        host="",
        path="/api/v3/depth",
        query="symbol=BTCUSDT&limit=1000",
        status=429,
        captured_ts=at(1),
        body=b'{"code":-1003,"msg":"Too many requests."}',
    )
    rows = read(
        "binance_spot",
        [
            line("okx", "/ws/books", 0, {}),
            line("binance_spot", "/ws/nowhere", 0, {}),
            line("binance_spot", "/ws/books", 0, {"stream": "btcusdt@unheardOf", "data": {}}),
            line("binance_spot", "/ws/books", 0, {"stream": "btcusdt@trade", "data": {"s": "BTCUSDT"}}),
            line("binance_spot", "/ws/books", 0, {"error": {"code": 2, "msg": "Invalid request"}, "id": 1}),
            failed,
        ],
    )

    assert [row.rule for row in rows if isinstance(row, Reject)] == [
        "venue",
        "unknown_endpoint",
        "unknown_endpoint",
        "schema",
        "venue_error",
        "http_status",
    ]


def test_what_is_refused_counts_against_the_dataset_that_its_frame_names() -> None:
    def mark(seconds: float, channel: str) -> Envelope:
        return line("binance_usdm", "/ws/market", seconds, {"stream": channel, "data": {"e": "?"}})

    heard = [mark(1, "btcusdt@markPrice@1s"), mark(2, "btcusdt@forceOrder"), mark(3, "btcusdt@unheardOf")]
    hour = read_hour(VENUES["binance_usdm"], HOUR, [("raw/binance_usdm/stream/x", [*heard, binance_trade(4, 7)])])

    assert hour.scopes == {("perp_tickers", "row"): 1, ("liquidations", "row"): 1, ("stream", "row"): 1}
    assert set(hour.objects) >= {"perp_tickers", "liquidations", "trades"}


def test_a_book_whose_digits_a_float_would_change_is_refused() -> None:
    data = {"e": "depthUpdate", "E": int(at(1).timestamp() * 1_000), "s": "BTCUSDT", "U": 1, "u": 2}
    frame = {"stream": "btcusdt@depth", "data": {**data, "b": [["1.0", "1234567890.12345678"]], "a": []}}
    rows = read("binance_spot", [line("binance_spot", "/ws/books", 1, frame)])

    assert [row.rule for row in rows if isinstance(row, Reject)] == ["precision"]


def test_a_channel_that_no_grammar_knows_costs_itself_and_not_its_note() -> None:
    def ticker(seconds: float) -> Envelope:
        row = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "last": "1", "askPx": "1.1", "askSz": "1", "bidPx": "1"}
        row |= {"bidSz": "1", "volCcy24h": "5", "vol24h": "5", "ts": str(int(at(seconds).timestamp() * 1_000))}
        arg = {"channel": "tickers", "instId": "BTC-USDT-SWAP"}
        return line("okx", "/ws/public", seconds, {"arg": arg, "data": [row]})

    def told(*more: str) -> tuple[Rows, list[str]]:
        channels = ["books:BTC-USDT-SWAP", *more, "tickers:BTC-USDT-SWAP"]
        rows = read(
            "okx",
            [
                note(0, "connected", "okx", "/ws/public", channels=channels),
                ticker(1),
                note(20, "disconnected", "okx", "/ws/public"),
                note(50, "connected", "okx", "/ws/public", channels=channels),
                ticker(51),
                note(52, "left", "okx", "/ws/public", channels=[*more, "books:BTC-USDT-SWAP"]),
                ticker(53),
            ],
        )
        kept = [row for row in rows if not isinstance(row, Reject)]
        return kept, [row.row.decode() for row in rows if isinstance(row, Reject)]

    whole, none = told()
    skipped, rejects = told("books:BTC-USD_?-SWAP", "tickers:BTC-USD_?-SWAP")

    assert skipped == whole
    assert holes(whole, "perp_tickers") == [("disconnected", 0, 1), ("disconnected", 1, 51)]
    assert none == []
    assert rejects == ["books:BTC-USD_?-SWAP", "tickers:BTC-USD_?-SWAP"] * 3
