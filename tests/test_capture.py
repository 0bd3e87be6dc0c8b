"""Every wanted (venue, dataset) ends as replies, as a reasoned gap, or as both; never as an exception."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.capture import Captured, capture_archived, capture_sweep
from ingestion.envelopes import Envelope, seal
from ingestion.records import Instrument, Kind, Record
from ingestion.transports.base import CaptureFailed, VirtualClock
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request, Venue

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))


def instrument(venue: str, symbol: str, kind: Kind = "perp") -> Instrument:
    return Instrument(
        venue=venue, symbol=symbol, kind=kind, captured_ts=HOUR, base_asset=symbol[:3], quote_asset="USD",
        settle_asset="USD", contract_size=1.0, amount_unit="base", is_inverse=False, terms_source="listed",
    )  # fmt: skip


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    raise Refused("unknown_symbol", symbol)


def nothing(reply: Reply) -> Iterator[Record | Reject]:
    yield from ()


def by_symbol(path: str) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request(path, (("symbol", symbol),)) for symbol in plan.symbols("perp")]


def once(path: str, *query: tuple[str, str]) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request(path, query)]


def next_page(request: Request, reply: Reply) -> Request | None:
    following = json.loads(reply.body).get("next")
    return None if following is None else Request(request.path, (("page", str(following)),))


def a_venue(name: str) -> Venue:
    """A venue with every kind of endpoint that a capture tells apart."""

    def listing(reply: Reply) -> Iterator[Record | Reject]:
        symbols = json.loads(reply.body)
        if not isinstance(symbols, list):
            raise Refused("schema", f"{name} /instruments: expected a list")
        yield Reject("schema", "a row that is none", b"{}")
        for symbol in symbols:
            yield instrument(name, symbol)

    return Venue(
        name,
        f"https://{name}.test",
        "",
        (
            Endpoint("order_books", "/books", nothing, by_symbol("/books"), weight=7),
            Endpoint("spot_tickers", "/spot", nothing, once("/spot"), is_reference=True),
            Endpoint("perp_tickers", "/tickers", nothing, once("/tickers", ("type", "perp"))),
            Endpoint("perp_tickers", "/marks", nothing, once("/marks")),
            Endpoint("instruments", "/instruments", listing, once("/instruments")),
            Endpoint("trades", "/trades", nothing, once("/trades"), is_archived=True, follow=next_page),
            Endpoint("candles", "/candles", nothing, by_symbol("/candles"), is_archived=True),
            Endpoint("index_prices", "/old", nothing),
        ),
        terms,
        1200,
    )


VENUES = {name: a_venue(name) for name in ("alpha", "beta")}
Answer = bytes | str | Callable[[Request], bytes]


class Scripted:
    """A transport that answers by (venue, path): a body, a body by request, or a reason to fail."""

    is_virtual = True

    def __init__(self, answers: Mapping[tuple[str, str], Answer], silent: str = "") -> None:
        self.clock = VirtualClock(HOUR)
        self._answers = answers
        self._silent = silent
        self.heard: list[tuple[str, str, str, int]] = []

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        self.heard.append((venue.name, request.path, request.query_string, weight))
        if venue.name == self._silent:
            await asyncio.Event().wait()
        answer = self._answers.get((venue.name, request.path), b"{}")
        if isinstance(answer, str):
            raise CaptureFailed(venue.name, request.path, answer)
        return seal(
            venue=venue.name,
            host="h",
            path=request.path,
            query=request.query_string,
            status=200,
            captured_ts=self.clock.now(),
            body=answer(request) if callable(answer) else answer,
        )

    async def aclose(self) -> None:
        """Nothing is held open."""


LISTED: dict[tuple[str, str], Answer] = {
    ("alpha", "/instruments"): b'["ETH-P","BTC-P","XRP-P"]',
    ("beta", "/instruments"): b'["BTC-B"]',
}


def sweep(transport: Scripted, *wanted: tuple[str, str], plan: Plan = PLAN, deadline_s: float = 30) -> Captured:
    return asyncio.run(capture_sweep(transport, wanted, plan, deadline_s, VENUES))


def archived(transport: Scripted, *wanted: tuple[str, str], plan: Plan = PLAN, deadline_s: float = 30) -> Captured:
    return asyncio.run(capture_archived(transport, wanted, plan, deadline_s, VENUES))


def every(*datasets: str) -> list[tuple[str, str]]:
    return [(venue, dataset) for venue in VENUES for dataset in datasets]


class TestASweep:
    def test_asks_listings_then_references_then_the_rest_by_symbol(self) -> None:
        transport = Scripted(LISTED)
        captured = sweep(transport, *every("order_books", "perp_tickers", "instruments", "spot_tickers"))

        paths = [path for _, path, _, _ in transport.heard]
        assert paths[:2] == ["/instruments"] * 2
        assert paths[2:4] == ["/spot"] * 2
        assert set(paths[4:]) == {"/books", "/marks", "/tickers"}
        books = [heard for heard in transport.heard if heard[1] == "/books"]
        assert books == [
            ("alpha", "/books", "symbol=BTC-P", 7),
            ("alpha", "/books", "symbol=ETH-P", 7),
            ("beta", "/books", "symbol=BTC-B", 7),
        ]
        assert captured.gaps == {}
        assert set(captured.envelopes) == set(every("order_books", "perp_tickers", "instruments", "spot_tickers"))
        assert len(captured.envelopes["alpha", "perp_tickers"]) == 2

    def test_keeps_replies_in_the_order_they_were_asked_for(self) -> None:
        captured = sweep(Scripted(LISTED), *every("instruments", "order_books"))
        queries = [envelope.query for envelope in captured.envelopes["alpha", "order_books"]]
        assert queries == ["symbol=BTC-P", "symbol=ETH-P"]

    def test_uses_the_listings_it_was_given_each_for_its_own_venue(self) -> None:
        listed = (instrument("alpha", "BTC-OLD"), instrument("beta", "ETH-B"))
        transport = Scripted(LISTED)
        sweep(transport, *every("order_books"), plan=Plan(PLAN.underlyings, HOUR, HOUR, listed))
        assert [(venue, query) for venue, _, query, _ in transport.heard] == [
            ("alpha", "symbol=BTC-OLD"),
            ("beta", "symbol=ETH-B"),
        ]

    def test_forgets_what_a_fresh_listing_no_longer_has(self) -> None:
        plan = Plan(PLAN.underlyings, HOUR, HOUR, (instrument("beta", "BTC-OLD"),))
        wanted = [("beta", "instruments"), ("beta", "order_books")]
        transport = Scripted(LISTED)
        sweep(transport, *wanted, plan=plan)
        assert [heard[2] for heard in transport.heard if heard[1] == "/books"] == ["symbol=BTC-B"]

        unlisted = Scripted({("beta", "/instruments"): "status 500: oops"})
        captured = sweep(unlisted, *wanted, plan=plan)
        assert [heard[2] for heard in unlisted.heard if heard[1] == "/books"] == ["symbol=BTC-OLD"]
        assert captured.gaps == {("beta", "instruments"): ["/instruments: status 500: oops"]}

    def test_a_venue_that_fails_is_a_gap_and_the_others_are_whole(self) -> None:
        answers = {("beta", path): "banned until 2026" for path in ("/instruments", "/spot", "/tickers", "/marks")}
        captured = sweep(
            Scripted({**LISTED, **answers}),
            *every("instruments", "spot_tickers", "perp_tickers", "order_books"),
        )

        assert {venue for venue, _ in captured.envelopes} == {"alpha"}
        assert captured.gaps == {
            ("beta", "instruments"): ["/instruments: banned until 2026"],
            ("beta", "spot_tickers"): ["/spot: banned until 2026"],
            ("beta", "perp_tickers"): ["/tickers?type=perp: banned until 2026", "/marks: banned until 2026"],
            ("beta", "order_books"): ["nothing to ask: no instrument of BTC, ETH is known"],
        }

    def test_a_part_that_fails_leaves_what_came_and_says_what_did_not(self) -> None:
        captured = sweep(Scripted({("alpha", "/marks"): "status 502: bad gateway"}), ("alpha", "perp_tickers"))
        assert [e.path for e in captured.envelopes["alpha", "perp_tickers"]] == ["/tickers"]
        assert captured.gaps == {("alpha", "perp_tickers"): ["/marks: status 502: bad gateway"]}

    def test_many_that_fail_alike_say_so_once(self) -> None:
        listed = tuple(instrument("alpha", f"BTC-{n:02}") for n in range(40))
        plan = Plan(PLAN.underlyings, HOUR, HOUR, listed)
        captured = sweep(Scripted({("alpha", "/books"): "banned"}), ("alpha", "order_books"), plan=plan)
        assert captured.gaps == {("alpha", "order_books"): ["/books?symbol=BTC-00: banned (and 39 more like it)"]}

    def test_a_listing_that_cannot_be_read_is_kept_and_named(self) -> None:
        captured = sweep(Scripted({("alpha", "/instruments"): b'{"code":1}'}), ("alpha", "instruments"))
        assert len(captured.envelopes["alpha", "instruments"]) == 1
        assert captured.gaps == {
            ("alpha", "instruments"): ["/instruments: refused: alpha /instruments: expected a list"]
        }

    def test_a_venue_that_hangs_is_a_gap_at_the_deadline_and_the_others_are_whole(self) -> None:
        captured = sweep(Scripted(LISTED, silent="beta"), *every("spot_tickers", "perp_tickers"), deadline_s=0.05)
        assert captured.envelopes.keys() >= {("alpha", "spot_tickers")}
        assert captured.gaps["beta", "spot_tickers"] == ["/spot: deadline of 0.05 s passed"]
        assert set(captured.envelopes) | set(captured.gaps) == set(every("spot_tickers", "perp_tickers"))

    def test_every_wanted_pair_is_answered_or_a_gap_whatever_fails(self) -> None:
        """Each of the 2^5 ways in which a venue's paths can fail."""
        paths = ("/instruments", "/spot", "/tickers", "/marks", "/books")
        wanted = every("instruments", "spot_tickers", "perp_tickers", "order_books")
        for failing in range(2 ** len(paths)):
            answers = {("beta", path): "status 500" for bit, path in enumerate(paths) if failing & (1 << bit)}
            captured = sweep(Scripted({**LISTED, **answers}), *wanted)
            assert set(captured.envelopes) | set(captured.gaps) == set(wanted)
            assert all(venue == "beta" for venue, _ in captured.gaps)
            assert bool(answers) == bool(captured.gaps)

    def test_leaves_archived_datasets_alone(self) -> None:
        transport = Scripted(LISTED)
        assert sweep(transport, ("alpha", "trades")) == Captured()
        assert transport.heard == []

    @pytest.mark.parametrize(
        ("pair", "message"),
        [
            (("gamma", "trades"), r"venue 'gamma': unknown \(expected one of alpha, beta\)"),
            (("alpha", "tardes"), r"alpha 'tardes': unknown \(expected one of order_books, "),
            (("alpha", "index_prices"), r"alpha 'index_prices': unknown"),
        ],
    )
    def test_what_no_venue_offers_is_refused(self, pair: tuple[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            sweep(Scripted({}), pair)


class TestAnArchive:
    @staticmethod
    def pages(last: int, fails_at: int | None = None) -> Callable[[Request], bytes]:
        def answer(request: Request) -> bytes:
            page = int(dict(request.query).get("page", "0"))
            if page == fails_at:
                raise CaptureFailed("alpha", request.path, "status 500")
            return json.dumps({"next": page + 1 if page < last else None}).encode()

        return answer

    def test_is_followed_to_its_last_page_in_order(self) -> None:
        transport = Scripted({("alpha", "/trades"): self.pages(last=4)})
        captured = archived(transport, ("alpha", "trades"))
        queries = [envelope.query for envelope in captured.envelopes["alpha", "trades"]]
        assert queries == ["", "page=1", "page=2", "page=3", "page=4"]
        assert captured.gaps == {}

    def test_that_breaks_off_keeps_its_pages_and_is_a_gap(self) -> None:
        captured = archived(Scripted({("alpha", "/trades"): self.pages(9, fails_at=3)}), ("alpha", "trades"))
        assert len(captured.envelopes["alpha", "trades"]) == 3
        assert captured.gaps == {("alpha", "trades"): ["/trades: status 500"]}

    def test_without_an_end_is_given_up_after_a_thousand_pages(self) -> None:
        captured = archived(Scripted({("alpha", "/trades"): self.pages(10**9)}), ("alpha", "trades"))
        assert len(captured.envelopes["alpha", "trades"]) == 1000
        assert captured.gaps == {("alpha", "trades"): ["/trades: too many pages: over 1000"]}

    def test_whose_pages_go_in_a_circle_is_left_at_once(self) -> None:
        transport = Scripted({("alpha", "/trades"): lambda request: b'{"next": 1}'})
        captured = archived(transport, ("alpha", "trades"))
        assert len(transport.heard) == 2
        assert captured.gaps == {("alpha", "trades"): ["/trades: page page=1 follows itself"]}

    def test_leaves_what_exists_only_now_alone(self) -> None:
        transport = Scripted({})
        assert archived(transport, ("alpha", "order_books"), ("alpha", "spot_tickers")) == Captured()
        assert transport.heard == []

    def test_is_asked_by_the_symbols_it_was_given(self) -> None:
        plan = Plan(PLAN.underlyings, HOUR, HOUR, (instrument("alpha", "BTC-P"), instrument("beta", "BTC-B")))
        transport = Scripted({})
        captured = archived(transport, *every("candles"), plan=plan)
        assert [(h[0], h[2]) for h in transport.heard] == [
            ("alpha", "symbol=BTC-P"),
            ("beta", "symbol=BTC-B"),
        ]
        assert captured.gaps == {}
        assert archived(Scripted({}), ("alpha", "candles")).gaps == {
            ("alpha", "candles"): ["nothing to ask: no instrument of BTC, ETH is known"]
        }
