"""Binance's three venues against their real payloads: known numbers, units, damage, and what is asked."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    Candle,
    FundingRate,
    FutureTicker,
    Instrument,
    OpenInterest,
    OrderBook,
    PerpTicker,
    Record,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply, Venue
from ingestion.venues.binance_coinm import BINANCE_COINM
from ingestion.venues.binance_spot import BINANCE_SPOT
from ingestion.venues.binance_usdm import BINANCE_USDM

R = TypeVar("R", bound=Record)
Recorded = Callable[[str], list[Envelope]]

NOW = datetime(2024, 11, 1, 5, 30, 20, tzinfo=UTC)
VENUES = {venue.name: venue for venue in (BINANCE_SPOT, BINANCE_USDM, BINANCE_COINM)}
every_venue = pytest.mark.parametrize("venue", VENUES.values(), ids=lambda venue: venue.name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def answer(venue: Venue, path: str, query: str, body: object) -> list[Record | Reject]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(venue.parse(Reply.read(path, query, raw, NOW)))


def replies(recorded: Recorded, venue: Venue, name: str = "http/{}.jsonl.zst") -> list[Reply]:
    envelopes = recorded(name.format(venue.name))
    return [Reply.read(e.path, e.query, e.reply_bytes, e.at or NOW) for e in envelopes if e.venue == venue.name]


def reply(recorded: Recorded, venue: Venue, path: str, nth: int = 0, **query: str) -> Reply:
    found = [
        r
        for r in replies(recorded, venue)
        if r.path == path and all(r.query.get(name) == value for name, value in query.items())
    ]
    return found[nth]


def read(recorded: Recorded, venue: Venue, kind: type[R], path: str, nth: int = 0, **query: str) -> list[R]:
    return only(kind, venue.parse(reply(recorded, venue, path, nth, **query)))


def only(kind: type[R], rows: Iterable[Record | Reject]) -> list[R]:
    found = list(rows)
    assert [type(row) for row in found] == [kind] * len(found)
    return found  # type: ignore[return-value]


# What came


@every_venue
def test_every_recorded_reply_is_read_or_refused_with_a_reason(recorded: Recorded, venue: Venue) -> None:
    """Seven rows are rejected, each for a damage that was found by hand; thirteen queries were cut off."""
    rejects: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for one in replies(recorded, venue):
        try:
            rows = list(venue.parse(one))
        except Refused as refused:
            refusals[refused.rule] += 1
            continue
        assert rows, one.path
        rejects.update(row.reason for row in rows if isinstance(row, Reject))

    expected = {
        "binance_spot": ({"Object missing required field `m`": 5}, {"retired": 11, "unknown_symbol": 10}),
        "binance_usdm": (
            {"BTCSTUSDT: contractType '' is none that is documented": 1},
            {"retired": 23, "venue_error": 1, "unknown_symbol": 2},
        ),
        "binance_coinm": (
            {"Expected `float` >= 0.0 - at `$.baseVolume`": 1},
            {"retired": 4, "venue_error": 2, "interval": 1, "unknown_symbol": 1},
        ),
    }
    assert (rejects, refusals) == expected[venue.name]


@every_venue
def test_the_joint_window_of_books_and_trades_is_read_whole(recorded: Recorded, venue: Venue) -> None:
    """August 2024: every book has 1,000 levels a side at most, runs outward, and nothing is rejected."""
    for one in replies(recorded, venue, "binance_l2_2024-08-08/rest.jsonl.zst"):
        for row in venue.parse(one):
            assert isinstance(row, OrderBook | Trade)
            assert row.symbol == one.query["symbol"]
            if isinstance(row, OrderBook):
                assert list(row.bid_px) == sorted(row.bid_px, reverse=True)
                assert list(row.ask_px) == sorted(row.ask_px)
                assert row.bid_px[0] < row.ask_px[0]


# Spot


def test_spot_numbers(recorded: Recorded) -> None:
    [book] = read(recorded, BINANCE_SPOT, OrderBook, "/api/v3/depth", symbol="BTCUSDT")
    assert (book.ask_px[0], book.ask_qty[0], book.event_ts) == (32085.66, 2.048437, None)

    btc, _ = read(recorded, BINANCE_SPOT, SpotTicker, "/api/v3/ticker/24hr", symbols='["BTCUSDT","ETHUSDT"]')
    assert (btc.bid_px, btc.bid_qty, btc.ask_px, btc.ask_qty) == (69624.0, 0.0981, 69624.01, 8.52891)
    assert (btc.last_px, btc.volume_24h_base) == (69624.0, 33278.39129)
    assert btc.volume_24h_quote == pytest.approx(2354076638.59660790, rel=1e-15)
    assert btc.event_ts == at("2024-11-01T05:30:18.472")

    [best] = read(recorded, BINANCE_SPOT, SpotTicker, "/api/v3/ticker/bookTicker")
    assert (best.bid_px, best.ask_qty, best.last_px) == (6621.55, 0.18635, None)
    [last] = read(recorded, BINANCE_SPOT, SpotTicker, "/api/v3/ticker/price")
    assert (last.last_px, last.bid_px) == (6622.57, None)


def test_spot_bars_are_labelled_by_their_start(recorded: Recorded) -> None:
    [bar] = read(recorded, BINANCE_SPOT, Candle, "/api/v3/klines", startTime="1588636800000")

    assert (bar.symbol, bar.event_ts, bar.interval_s) == ("BTCUSDT", at("2020-05-05"), 60)
    assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (8871.92, 8888.0, 8871.92, 8887.62)
    assert bar.volume_base == 47.66737


def test_a_symbol_that_the_archive_cut_off_is_refused(recorded: Recorded) -> None:
    """The source keeps 80 characters of a query, and the symbol stands last: BTCUSDT became BTCU."""
    cut = reply(recorded, BINANCE_SPOT, "/api/v3/klines", interval="1d")
    assert cut.query["symbol"] == "BTCU"

    with pytest.raises(Refused, match="BTCU") as refused:
        BINANCE_SPOT.parse(cut)
    assert refused.value.rule == "unknown_symbol"


def test_a_maker_who_buys_means_that_the_aggressor_sold(recorded: Recorded) -> None:
    """The side is the taker's, in `aggTrades` (m) as in `trades` (isBuyerMaker)."""
    path = "/api/v3/aggTrades"
    first, second = read(recorded, BINANCE_SPOT, Trade, path, endTime="1577977455000")
    assert (first.trade_id, first.px, first.qty, first.side) == ("202789181", 7143.44, 0.001675, "buy")
    assert first.event_ts == at("2020-01-02T15:04:06.915")
    assert (second.trade_id, second.side, second.is_aggregate) == ("202789191", "sell", True)

    bought, sold = read(recorded, BINANCE_SPOT, Trade, "/api/v3/trades", symbol="BTCUSDT")[:2]
    assert (bought.trade_id, bought.side, bought.is_aggregate) == ("445572811", "buy", False)
    assert (sold.trade_id, sold.side) == ("445572812", "sell")
    historical = read(recorded, BINANCE_SPOT, Trade, "/api/v3/historicalTrades")[0]
    assert (historical.trade_id, historical.px, historical.side) == ("870281750", 38172.11, "sell")


def test_a_trade_whose_aggressor_is_lost_is_rejected_not_guessed(recorded: Recorded) -> None:
    """In two archived replies of 2020 the key "m" is empty."""
    rows = list(BINANCE_SPOT.parse(reply(recorded, BINANCE_SPOT, "/api/v3/aggTrades", fromId="303004096")))

    assert [type(row) for row in rows] == [Reject] * 3


def test_pairs_on_a_break_are_still_instruments(recorded: Recorded) -> None:
    pairs = read(recorded, BINANCE_SPOT, Instrument, "/api/v3/exchangeInfo")
    by_symbol = {pair.symbol: pair for pair in pairs}

    assert len(by_symbol) == 1695
    assert by_symbol["BTCUSDT"].tick_size_px == 0.01
    assert by_symbol["BTCUSDT"].lot_size_qty == 0.00001
    assert by_symbol["BTCUSDT"].settle_asset == "USDT"


def test_a_halted_pair_quotes_zero_and_zero_is_no_price() -> None:
    halted = {"bidPrice": "0.00000000", "bidQty": "0.00000000", "askPrice": "0.0", "askQty": "0.0"}
    [ticker] = answer(BINANCE_SPOT, "/api/v3/ticker/bookTicker", "", {"symbol": "VENBTC", **halted})

    assert isinstance(ticker, SpotTicker)
    assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.ask_qty) == (None,) * 4


# USD-M


def test_linear_numbers(recorded: Recorded) -> None:
    root = "/fapi/v1/"
    [mark] = read(recorded, BINANCE_USDM, PerpTicker, root + "premiumIndex", nth=2)
    assert (mark.mark_px, mark.index_px, mark.funding_rate) == (26780.82240476, 26798.25197802, 0.00001226)
    assert mark.next_funding_ts == at("2023-06-20T08:00")
    [day] = read(recorded, BINANCE_USDM, PerpTicker, root + "ticker/24hr", nth=3)
    assert (day.last_px, day.volume_24h_base, day.volume_24h_quote) == (47028.59, 471823.103, 22175129357.20)
    [interest] = read(recorded, BINANCE_USDM, OpenInterest, root + "openInterest", nth=1)
    assert (interest.open_interest_qty, interest.event_ts) == (83782.317, at("2023-12-10T21:49:45.273"))
    [settled] = read(recorded, BINANCE_USDM, FundingRate, root + "fundingRate", startTime="1602816502")
    assert (settled.funding_rate, settled.event_ts) == (0.00018534, at("2020-10-16T00:00:00.002"))
    [best] = read(recorded, BINANCE_USDM, PerpTicker, root + "ticker/bookTicker", symbol="BTCUSDT")
    assert (best.bid_px, best.ask_px) == (19115.95, 19116.50)
    [book] = read(recorded, BINANCE_USDM, OrderBook, root + "depth", limit="5")
    assert (book.bid_px[0], book.bid_qty[0]) == (11492.09, 0.004)
    assert book.event_ts == at("2020-10-16T03:25:50.767")  # T, not E, which is 15 ms later


def test_shapes_of_2019_are_read(recorded: Recorded) -> None:
    """A book without clocks, a mark without index, open interest without time, contracts without a type."""
    [book] = read(recorded, BINANCE_USDM, OrderBook, "/fapi/v1/depth", limit="500")
    assert (book.symbol, book.bid_px[0], book.bid_qty[0], book.event_ts) == ("BTCUSDT", 10300.39, 1.907, None)
    [mark] = read(recorded, BINANCE_USDM, PerpTicker, "/fapi/v1/premiumIndex")
    assert (mark.mark_px, mark.index_px, mark.funding_rate) == (6623.96371863, None, -0.00021874)
    [interest] = read(recorded, BINANCE_USDM, OpenInterest, "/fapi/v1/openInterest")
    assert (interest.open_interest_qty, interest.event_ts) == (14367.348, None)
    contracts = read(recorded, BINANCE_USDM, Instrument, "/fapi/v1/exchangeInfo")
    assert {(c.kind, c.settle_asset) for c in contracts} == {("perp", "USDT")}


def test_a_dated_future_never_takes_the_perpetuals_name(recorded: Recorded) -> None:
    """January 2024: the day's figures of 257 contracts hold four dated futures."""
    rows = list(BINANCE_USDM.parse(reply(recorded, BINANCE_USDM, "/fapi/v1/ticker/24hr", nth=4)))
    dated = {row.symbol for row in rows if isinstance(row, FutureTicker) and not isinstance(row, PerpTicker)}

    assert dated == {"BTCUSDT_240329", "BTCUSDT_240628", "ETHUSDT_240329", "ETHUSDT_240628"}
    assert len({(row.kind, row.symbol) for row in rows if isinstance(row, Record)}) == len(rows) == 257


# COIN-M


def test_inverse_numbers(recorded: Recorded) -> None:
    root = "/dapi/v1/"
    [interest] = read(recorded, BINANCE_COINM, OpenInterest, root + "openInterest", nth=1)
    assert interest.open_interest_qty == 6_784_657  # contracts of 100 USD
    [day] = read(recorded, BINANCE_COINM, FutureTicker, root + "ticker/24hr", symbol="BTCUSD_201225")
    assert (day.last_px, day.volume_24h_base, day.volume_24h_quote) == (11571.1, 4536.69234186, None)
    assert day.volume_24h_base == pytest.approx(524_192 * 100 / 11_554.49742895, rel=1e-6)
    trade = read(recorded, BINANCE_COINM, Trade, root + "aggTrades")[0]
    assert (trade.trade_id, trade.px, trade.qty, trade.side) == ("4773826", 19099.6, 70, "sell")


def test_marks_of_dated_futures_carry_no_funding(recorded: Recorded) -> None:
    """COIN-M shows "" for their rate and 0 for their next funding; in June 2020 it left both out."""
    rows = list(BINANCE_COINM.parse(reply(recorded, BINANCE_COINM, "/dapi/v1/premiumIndex", pair="BTCUSD")))
    assert [(type(row), row.symbol) for row in rows if isinstance(row, FutureTicker)] == [
        (FutureTicker, "BTCUSD_210326"),
        (FutureTicker, "BTCUSD_200925"),
        (FutureTicker, "BTCUSD_201225"),
        (PerpTicker, "BTCUSD_PERP"),
    ]
    [early] = read(recorded, BINANCE_COINM, FutureTicker, "/dapi/v1/premiumIndex", symbol="BTCUSD_200925")
    assert (early.mark_px, early.index_px) == (9422.66642083, 9387.0075)


def test_an_empty_funding_rate_of_a_perpetual_is_rejected() -> None:
    mark = {"symbol": "BTCUSD_PERP", "markPrice": "1", "indexPrice": "1", "time": 1_687_244_113_000}
    [row] = answer(BINANCE_COINM, "/dapi/v1/premiumIndex", "", [{**mark, "lastFundingRate": "", "nextFundingTime": 0}])

    assert isinstance(row, Reject)
    assert row.rule == "funding"


def test_volume_of_inverse_bars_is_the_base_coins_not_the_contracts(recorded: Recorded) -> None:
    """LTC, December 2020: 2,929 contracts of 10 USD at about 83.16."""
    damaged = reply(recorded, BINANCE_COINM, "/dapi/v1/klines", interval="5m")
    with pytest.raises(Refused, match="LTCUSD_"):
        BINANCE_COINM.parse(damaged)  # the source cut the symbol off in the query

    bars = answer(BINANCE_COINM, damaged.path, "symbol=LTCUSD_PERP&interval=5m", damaged.body)
    assert isinstance(bars[0], Candle)
    assert bars[0].volume_base == 352.24700594 == pytest.approx(2929 * 10 / 83.16, rel=1e-3)


@pytest.mark.parametrize("venue", [BINANCE_USDM, BINANCE_COINM], ids=lambda venue: venue.name)
def test_sizes_and_terms_give_the_amounts_that_the_venue_states(recorded: Recorded, venue: Venue) -> None:
    """quoteQty of linear and baseQty of inverse trades, of every trade recorded, to the venue's rounding."""
    compared = 0
    for one in replies(recorded, venue) + replies(recorded, venue, "binance_l2_2024-08-08/rest.jsonl.zst"):
        if not one.path.endswith("/trades"):
            continue
        for trade, raw in zip(only(Trade, venue.parse(one)), json.loads(one.body), strict=True):
            terms = venue.terms(trade.symbol, trade.kind, trade.captured_ts)
            if terms.is_inverse:
                assert trade.qty * terms.contract_size / trade.px == pytest.approx(float(raw["baseQty"]), abs=1e-8)
            else:
                notional = trade.qty * terms.contract_size * trade.px
                assert notional == pytest.approx(float(raw["quoteQty"]), abs=0.01)
            compared += 1
    assert compared > 10_000


# Terms


@pytest.mark.parametrize("venue", [BINANCE_USDM, BINANCE_COINM], ids=lambda venue: venue.name)
def test_documented_terms_equal_listed_ones(recorded: Recorded, venue: Venue) -> None:
    """Every contract of five listings, but for tick and lot, which no name tells."""
    for one in replies(recorded, venue):
        if one.path.endswith("/exchangeInfo"):
            for listed in venue.parse(one):
                if isinstance(listed, Instrument):
                    told = msgspec.structs.replace(
                        listed, tick_size_px=None, lot_size_qty=None, terms_source="documented"
                    )
                    assert venue.terms(listed.symbol, listed.kind, one.captured_ts) == told


def test_the_grammar_of_pairs_agrees_with_every_listing(recorded: Recorded) -> None:
    """2,315 of 2,315 pairs of the listings of 2019, 2021 and 2025 split as listed."""
    listed = [
        pair
        for one in replies(recorded, BINANCE_SPOT)
        if one.path in {"/api/v1/exchangeInfo", "/api/v3/exchangeInfo"}
        for pair in json.loads(one.body)["symbols"]
    ]
    wrong = [
        pair["symbol"]
        for pair in listed
        if (terms := BINANCE_SPOT.terms(pair["symbol"], "spot", NOW)).base_asset != pair["baseAsset"]
        or terms.quote_asset != pair["quoteAsset"]
    ]

    assert len(listed) == 595 * 2 + 1695 + 25
    assert wrong == []


def test_golden_terms() -> None:
    """Face, unit, inversion, settlement and delivery of one contract a kind."""
    linear = BINANCE_USDM.terms("BTCUSDT", "perp", NOW)
    assert (linear.contract_size, linear.amount_unit, linear.is_inverse) == (1, "base", False)
    assert (linear.settle_asset, linear.expiry_ts, linear.funding_interval_s) == ("USDT", None, 28_800)
    quarterly = BINANCE_USDM.terms("ETHUSDT_240329", "future", NOW)
    assert (quarterly.base_asset, quarterly.expiry_ts) == ("ETH", at("2024-03-29T08:00"))
    inverse = BINANCE_COINM.terms("BTCUSD_PERP", "perp", NOW)
    assert (inverse.contract_size, inverse.amount_unit, inverse.is_inverse) == (100, "contracts", True)
    assert (inverse.base_asset, inverse.quote_asset, inverse.settle_asset) == ("BTC", "USD", "BTC")
    assert BINANCE_COINM.terms("ETHUSD_241227", "future", NOW).contract_size == 10


@pytest.mark.parametrize(
    ("venue", "symbol", "kind"),
    [
        (BINANCE_SPOT, "BTCXYZ", "spot"),
        (BINANCE_SPOT, "USDT", "spot"),
        (BINANCE_SPOT, "BTCUSDT", "perp"),
        (BINANCE_USDM, "BTCUSDT", "future"),
        (BINANCE_USDM, "BTCUSDT_241399", "future"),
        (BINANCE_USDM, "BTCUSD_PERP", "perp"),
        (BINANCE_COINM, "BTCUSDT", "perp"),
        (BINANCE_COINM, "BTCUSD_PERP", "future"),
    ],
)
def test_names_outside_the_grammar_are_refused(venue: Venue, symbol: str, kind: Any) -> None:
    with pytest.raises(Refused) as refused:
        venue.terms(symbol, kind, NOW)

    assert refused.value.rule == "unknown_symbol"
    assert symbol in refused.value.reason
