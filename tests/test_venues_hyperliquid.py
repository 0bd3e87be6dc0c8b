"""Hyperliquid, by numbers read off real replies by hand, by documented examples, and by the traps of its formats."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.gate.rows import broken_rule
from ingestion.records import Candle, FundingRate, Instrument, OpenInterest, OrderBook, PerpTicker, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.hyperliquid import HYPERLIQUID
from ingestion.venues.hyperliquid_names import funding_interval_s, read_coin, spelled
from tests.test_venues import PLAN

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
NOW_MS = 1_767_358_805_000
Recorded = Callable[[str], list[Envelope]]


def ask(asked: dict[str, Any], body: object, at: datetime = NOW) -> list[Record | Reject]:
    reply = Reply.read("/info", "", json.dumps(body).encode(), at, json.dumps(asked))
    return list(HYPERLIQUID.parse(reply))


@pytest.fixture
def said(recorded: Recorded) -> Callable[[str], list[Any]]:
    """The recorded bodies whose question contains a word; two of the questions were cut short by their recorder."""
    envelopes = [(str(e.asked), json.loads(e.reply_bytes)) for e in recorded("http/hyperliquid.jsonl.zst")]
    return lambda word: [body for asked, body in envelopes if word in asked]


class TestRealReplies:
    def test_a_perpetual_is_one_coin_priced_by_a_tether_oracle_and_paid_in_usdc(self, said: Any) -> None:
        """ "USDT P&L is denominated in USDC": a quanto, though the venue calls it linear."""
        [body] = said('"meta"')
        told: list[Any] = ask({"type": "meta"}, body, datetime(2023, 8, 16, tzinfo=UTC))
        perps = {i.symbol: i for i in told}

        assert len(perps) == 28
        assert perps["BTC"] == Instrument(
            venue="hyperliquid",
            symbol="BTC",
            kind="perp",
            captured_ts=datetime(2023, 8, 16, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USDT",
            settle_asset="USDC",
            contract_size=1.0,
            amount_unit="base",
            is_inverse=False,
            is_quanto=True,
            lot_size_qty=0.00001,
            funding_interval_s=3_600,
            terms_source="listed",
        )
        assert (perps["DOGE"].lot_size_qty, perps["SUI"].lot_size_qty) == (1.0, 0.1)

    def test_a_thousand_of_a_coin_keep_their_own_name(self, said: Any) -> None:
        """kPEPE traded at 0.0016 dollars when PEPE was worth a thousandth of that."""
        [body] = said('"meta"')
        [pepe] = [i for i in ask({"type": "meta"}, body) if isinstance(i, Instrument) and "PEPE" in i.symbol]

        assert (pepe.symbol, pepe.base_asset, pepe.contract_size) == ("kPEPE", "kPEPE", 1.0)

    def test_a_book_is_bids_then_asks_twenty_a_side(self, said: Any) -> None:
        [body] = said("l2Book")
        [book] = ask({"type": "l2Book", "coin": "DYDX"}, body)

        assert isinstance(book, OrderBook)
        assert (book.symbol, book.kind) == ("DYDX", "perp")
        assert book.event_ts == datetime(2023, 7, 17, 21, 43, 23, 930_000, tzinfo=UTC)
        assert (len(book.bid_px), len(book.ask_px)) == (20, 20)
        assert (book.bid_px[:2], book.bid_qty[:2]) == ((2.111, 2.1105), (134.4, 141.1))
        assert (book.ask_px[:2], book.ask_qty[:2]) == ((2.1124, 2.1125), (352.3, 364.9))

    def test_what_funding_pays_for_is_proved_by_the_payment_before(self, said: Any) -> None:
        """Every eight hours up to June 8, 2023, and every hour since; but for three that came late."""
        longest = max(said("fundingHistory"), key=len)
        rates = [r for r in ask({"type": "fundingHistory", "coin": "BTC"}, longest) if isinstance(r, FundingRate)]

        assert len(rates) == 1_038
        assert rates[0].event_ts == datetime(2023, 5, 12, 0, 0, 0, 48_000, tzinfo=UTC)
        assert (rates[0].funding_rate, rates[0].funding_interval_s) == (-0.00061334, None)
        assert (rates[1].funding_rate, rates[1].funding_interval_s) == (-0.00074503, 28_800)
        assert Counter(rate.funding_interval_s for rate in rates[1:]) == {
            3_600: 955,
            28_800: 79,
            30_240: 1,
            27_360: 1,
            7_200: 1,
        }

    def test_documented_intervals_are_those_that_were_paid(self, said: Any) -> None:
        longest = max(said("fundingHistory"), key=len)
        rates = [r for r in ask({"type": "fundingHistory", "coin": "BTC"}, longest) if isinstance(r, FundingRate)]
        late = [r for r in rates[1:] if r.event_ts and r.funding_interval_s != funding_interval_s(r.event_ts)]

        assert [f"{rate.event_ts:%m-%d %H:%M}" for rate in late] == ["05-23 08:23", "05-23 16:00", "07-02 21:00"]

    def test_a_bar_is_labelled_by_its_start(self, said: Any) -> None:
        [body] = said("candleSnapshot")
        bars = [b for b in ask({"type": "candleSnapshot", "req": {"coin": "kPEPE"}}, body) if isinstance(b, Candle)]

        assert len(bars) == 24
        assert bars[0] == Candle(
            venue="hyperliquid",
            symbol="kPEPE",
            kind="perp",
            captured_ts=NOW,
            event_ts=datetime(2023, 5, 21, 20, tzinfo=UTC),
            interval_s=3_600,
            open_px=0.001601,
            high_px=0.001616,
            low_px=0.001601,
            close_px=0.001604,
            volume_base=520_665_683.0,
        )
        assert {b.event_ts - a.event_ts for a, b in pairwise(bars) if a.event_ts and b.event_ts} == {timedelta(hours=1)}

    def test_mids_are_no_dataset(self, said: Any) -> None:
        [body] = said("allMids")
        with pytest.raises(Refused, match="none of our datasets") as caught:
            ask({"type": "allMids"}, body)

        assert caught.value.rule == "retired"


CONTEXT = {
    "funding": "0.0000125",
    "openInterest": "688.11",
    "prevDayPx": "15.322",
    "dayNtlVlm": "1169046.29406",
    "premium": "0.00031774",
    "oraclePx": "14.32",
    "markPx": "14.3161",
    "midPx": "14.314",
    "impactPxs": ["14.3047", "14.3444"],
    "dayBaseVlm": "81234.5",
}
AVAX = {"name": "AVAX", "szDecimals": 2, "maxLeverage": 10}
TRADE = {
    "coin": "BTC",
    "side": "A",
    "px": "88212.0",
    "sz": "0.015",
    "hash": "0x00",
    "time": NOW_MS,
    "tid": 302_113_344_556_677,
    "users": ["0xbuyer", "0xseller"],
}


def contexts(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> list[Any]:
    body = [{"universe": [coin for coin, _ in pairs]}, [context for _, context in pairs]]
    return ask({"type": "metaAndAssetCtxs"}, body)


class TestDocumentedExamples:
    def test_funding_is_an_hours_and_open_interest_coin(self) -> None:
        ticker, interest = contexts((AVAX, CONTEXT))

        assert ticker == PerpTicker(
            venue="hyperliquid",
            symbol="AVAX",
            kind="perp",
            captured_ts=NOW,
            mark_px=14.3161,
            index_px=14.32,
            funding_rate=0.0000125,
            funding_interval_s=3_600,
            volume_24h_base=81_234.5,
            volume_24h_quote=1_169_046.29406,
        )
        assert isinstance(interest, OpenInterest)
        assert (interest.open_interest_qty, interest.open_interest_base) == (688.11, 688.11)

    def test_contexts_stand_in_the_order_of_the_coins(self) -> None:
        other = {**CONTEXT, "markPx": "6.0436"}
        told = contexts((AVAX, CONTEXT), ({**AVAX, "name": "DYDX"}, other))

        assert [(t.symbol, t.mark_px) for t in told if isinstance(t, PerpTicker)] == [
            ("AVAX", 14.3161),
            ("DYDX", 6.0436),
        ]

    def test_a_delisted_coin_leaves_its_context_out_and_moves_no_other(self) -> None:
        gone = {**AVAX, "name": "MATIC", "isDelisted": True}
        told = contexts((gone, {**CONTEXT, "midPx": None, "markPx": "0.1"}), (AVAX, CONTEXT))

        assert {t.symbol for t in told} == {"AVAX"}
        assert told[0].mark_px == 14.3161
        assert ask({"type": "meta"}, {"universe": [gone]}) == []

    def test_one_context_too_few_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            ask({"type": "metaAndAssetCtxs"}, [{"universe": [AVAX, AVAX]}, [CONTEXT]])

        assert caught.value.rule == "contradiction"

    def test_a_pair_is_of_the_tokens_that_its_indices_name(self) -> None:
        """The token with index 150 stands second in the list."""
        tokens = [{"name": "USDC", "szDecimals": 8, "index": 0}, {"name": "HYPE", "szDecimals": 2, "index": 150}]
        pairs = [{"name": "@107", "tokens": [150, 0], "index": 107}, {"name": "@1", "tokens": [2, 0], "index": 1}]
        hype, unknown = ask({"type": "spotMeta"}, {"tokens": tokens, "universe": pairs})

        assert isinstance(hype, Instrument)
        assert (hype.symbol, hype.kind, hype.base_asset, hype.quote_asset) == ("@107", "spot", "HYPE", "USDC")
        assert (hype.contract_size, hype.amount_unit, hype.lot_size_qty) == (1.0, "base", 0.01)
        assert isinstance(unknown, Reject)
        assert unknown.rule == "unknown_symbol"

    @pytest.mark.parametrize(("coin", "symbol"), [("PURR/USDC", "PURR-USDC"), ("@107", "@107"), ("BTC", "BTC")])
    def test_a_symbol_passes_the_gate_and_leads_back_to_the_venues_spelling(self, coin: str, symbol: str) -> None:
        book = {"coin": coin, "time": NOW_MS, "levels": [[{"px": "1.5", "sz": "2", "n": 1}], []]}
        [row] = ask({"type": "l2Book", "coin": coin}, book)

        assert not isinstance(row, Reject)
        assert (row.symbol, read_coin(coin)[1]) == (symbol, symbol)
        assert broken_rule(row) is None
        assert spelled(symbol) == coin

    def test_the_side_of_a_trade_is_the_aggressors(self) -> None:
        """ "A = Ask = Short. Side is aggressing side for trades." """
        sold, bought = ask({"type": "recentTrades", "coin": "BTC"}, [TRADE, {**TRADE, "side": "B"}])

        assert sold == Trade(
            venue="hyperliquid",
            symbol="BTC",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOW,
            trade_id="1767358805000-302113344556677",
            px=88_212.0,
            qty=0.015,
            side="sell",
        )
        assert isinstance(bought, Trade)
        assert bought.side == "buy"

    def test_two_trades_of_one_hash_at_two_times_are_two(self) -> None:
        both = ask({"type": "recentTrades"}, [TRADE, {**TRADE, "time": NOW_MS - 9}])

        assert len({t.trade_id for t in both if isinstance(t, Trade)}) == 2


class TestTerms:
    def test_two_coins_are_priced_by_an_oracle_in_usdc(self) -> None:
        hype = HYPERLIQUID.terms("HYPE", "perp", NOW)

        assert (hype.quote_asset, hype.settle_asset, hype.is_quanto) == ("USDC", "USDC", False)

    @pytest.mark.parametrize("symbol", ["BTC", "ETH"])
    def test_funding_of_bitcoin_and_ether_is_documented_as_of_the_day(self, symbol: str) -> None:
        early = HYPERLIQUID.terms(symbol, "perp", datetime(2023, 6, 1, tzinfo=UTC))

        assert (early.funding_interval_s, HYPERLIQUID.terms(symbol, "perp", NOW).funding_interval_s) == (28_800, 3_600)

    @pytest.mark.parametrize(
        ("symbol", "kind", "rule"),
        [
            ("@107", "spot", "unknown_terms"),
            ("xyz:XYZ100", "perp", "unknown_terms"),
            ("#10", "perp", "unknown_symbol"),
            ("BTC USD", "perp", "unknown_symbol"),
            ("BTC", "spot", "contradiction"),
        ],
    )
    def test_what_no_name_tells_is_refused(self, symbol: str, kind: Any, rule: str) -> None:
        with pytest.raises(Refused) as caught:
            HYPERLIQUID.terms(symbol, kind, NOW)

        assert caught.value.rule == rule


def follow(request: Request, rows: list[dict[str, Any]]) -> Request | None:
    reply = Reply.read("/info", "", json.dumps(rows).encode(), NOW, request.body)
    endpoint = HYPERLIQUID.endpoint("/info", reply.query)
    assert endpoint.follow is not None
    return endpoint.follow(request, reply)


class TestQuestions:
    def test_a_spot_pair_of_the_unit_bridge_is_asked_for_in_the_venues_spelling(self) -> None:
        def listed(symbol: str, base: str) -> Instrument:
            return Instrument(
                venue="hyperliquid",
                symbol=symbol,
                kind="spot",
                captured_ts=NOW,
                base_asset=base,
                quote_asset="USDC",
                settle_asset="USDC",
                contract_size=1.0,
                amount_unit="base",
                is_inverse=False,
                terms_source="listed",
            )

        plan = Plan(("BTC", "PURR"), NOW, NOW, (listed("@142", "UBTC"), listed("PURR-USDC", "PURR"), listed("@5", "X")))
        [books] = [e for e in HYPERLIQUID.endpoints if e.dataset == "order_books" and e.requests]
        assert books.requests is not None

        assert [json.loads(r.body or "")["coin"] for r in books.requests(plan)] == ["BTC", "PURR", "@142", "PURR/USDC"]

    def test_a_full_page_is_followed_to_the_end_of_the_span_and_no_row_is_lost_or_doubled(self) -> None:
        """As the venue answers: the oldest 500 rows from `startTime` to `endTime`, both included."""
        hours = [
            {"coin": "BTC", "fundingRate": "0.00001", "time": 1_700_000_000_000 + n * 3_600_000} for n in range(1_203)
        ]
        request: Request | None = Request.post(
            "/info",
            {"type": "fundingHistory", "coin": "BTC", "startTime": hours[0]["time"], "endTime": hours[1_200]["time"]},
        )
        got: list[dict[str, Any]] = []
        while request is not None:
            asked = json.loads(request.body or "")
            page = [row for row in hours if asked["startTime"] <= row["time"] <= asked["endTime"]][:500]
            got += page
            request = follow(request, page)

        assert got == hours[:1_201]

    def test_bars_are_followed_within_the_nested_question(self) -> None:
        span = {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 10**13}
        bars = [
            {"t": n, "T": n, "s": "BTC", "i": "1m", "o": "1", "c": "1", "h": "1", "l": "1", "v": "1", "n": 1}
            for n in range(500)
        ]
        request = Request.post("/info", {"type": "candleSnapshot", "req": span})
        after = follow(request, bars)

        assert after is not None
        assert json.loads(after.body or "") == {"type": "candleSnapshot", "req": {**span, "startTime": 500}}
        assert follow(request, bars[:499]) is None

    def test_the_hours_funding_is_asked_for_with_three_days_before_it(self) -> None:
        [funding] = [e for e in HYPERLIQUID.endpoints if e.dataset == "funding_rates"]
        assert funding.requests is not None
        asked = json.loads(funding.requests(PLAN)[0].body or "")

        assert asked["endTime"] == round(PLAN.end_ts.timestamp() * 1_000) - 1
        assert asked["endTime"] + 1 - asked["startTime"] == 3 * 86_400_000


class TestHostileReplies:
    @pytest.mark.parametrize("field", ["funding", "openInterest", "dayNtlVlm", "markPx", "oraclePx"])
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        damaged = {key: value for key, value in CONTEXT.items() if key != field}
        reject, *good = contexts((AVAX, damaged), ({**AVAX, "name": "DYDX"}, CONTEXT))

        assert isinstance(reject, Reject)
        assert field in reject.reason
        assert len(good) == 2

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_price(self, number: object) -> None:
        [reject] = ask({"type": "recentTrades", "coin": "BTC"}, [{**TRADE, "px": number}])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    @pytest.mark.parametrize("stamp", [NOW_MS * 1_000, NOW_MS // 1_000, 0])
    def test_a_timestamp_in_another_unit_is_noticed(self, stamp: int) -> None:
        [reject] = ask({"type": "recentTrades", "coin": "BTC"}, [{**TRADE, "time": stamp}])

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_a_book_of_an_unknown_coin_is_null_and_refused(self) -> None:
        with pytest.raises(Refused, match="no book of NOPE") as caught:
            ask({"type": "l2Book", "coin": "NOPE"}, None)

        assert caught.value.rule == "unknown_symbol"

    def test_a_bar_of_a_month_has_no_seconds(self) -> None:
        bar = {
            "t": NOW_MS,
            "T": NOW_MS,
            "s": "BTC",
            "i": "1M",
            "o": "1",
            "c": "1",
            "h": "1",
            "l": "1",
            "v": "1",
            "n": 1,
        }
        [reject] = ask({"type": "candleSnapshot", "req": {}}, [bar])

        assert isinstance(reject, Reject)
        assert reject.rule == "interval"
