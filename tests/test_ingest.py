"""Raw to lake: what passed is there, what broke is in quarantine with its reason, and nothing between."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ingestion.envelopes import Envelope
from ingestion.ingest import COVERAGE_SCHEMA, Verdict, ingest
from ingestion.raw import RawZone
from ingestion.storage import Store
from ingestion.venues import VENUES
from tests.toy_venue import AT, HOUR, TOY, reply, row
from tests.toy_zone import Zone, zone_at


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return zone_at(tmp_path)


def lake_key(dataset: str) -> str:
    return f"lake/{dataset}/venue=toy/date=2024-01-14/hour=20.parquet"


class TestVerdicts:
    def test_a_good_hour_is_in_the_lake(self, zone: Zone) -> None:
        zone.put("trades", row("trades"), row("trades", trade_id="2", px=101.0))
        verdict = zone.verdict("trades")

        assert (verdict.status, verdict.rows_count, verdict.objects_count) == ("ok", 2, 1)
        assert (verdict.broken_rules, verdict.reason) == ((), None)
        assert (verdict.first_captured_ts, verdict.last_captured_ts, verdict.captures_count) == (AT, AT, 1)
        assert [(r["utc_hour"], r["px"]) for r in zone.rows("trades")] == [(HOUR, 100.0), (HOUR, 101.0)]

    def test_a_dataset_that_is_expected_and_did_not_come_is_a_gap(self, zone: Zone) -> None:
        verdict = zone.verdict("order_books")

        assert (verdict.status, verdict.reason) == ("gap", "nothing was captured")
        assert not zone.store.exists(lake_key("order_books"))

    def test_a_gap_tells_the_reason_that_the_capture_noted(self, zone: Zone) -> None:
        zone.quarantine.note_gaps("toy", HOUR, {"order_books": ["toy /order_books: status 503"]})

        assert zone.verdict("order_books").reason == "toy /order_books: status 503"

    def test_an_hour_with_data_still_tells_what_was_missed(self, zone: Zone) -> None:
        zone.put("trades", row("trades"))
        zone.quarantine.note_gaps("toy", HOUR, {"trades": ["toy /trades: page 2 timed out"]})
        verdict = zone.verdict("trades")

        assert (verdict.status, verdict.reason) == ("ok", "toy /trades: page 2 timed out")

    def test_a_quiet_hour_is_an_answer_where_the_venue_was_asked_for_all_of_it(self, zone: Zone) -> None:
        zone.put("trades")

        assert zone.verdict("trades").status == "ok"
        assert zone.rows("trades") == []

    def test_a_snapshot_that_lists_nothing_is_a_gap(self, zone: Zone) -> None:
        zone.put("order_books")
        verdict = zone.verdict("order_books")

        assert (verdict.status, verdict.reason) == ("gap", "replies came and listed nothing")
        assert not zone.store.exists(lake_key("order_books"))

    def test_replies_of_which_nothing_can_be_read_hold_the_hour(self, zone: Zone) -> None:
        zone.put("trades", status=503, body=b"<html>")
        verdict = zone.verdict("trades")

        assert (verdict.status, verdict.broken_rules) == ("held", ("nothing_readable",))
        assert (verdict.refused_count, verdict.rejected_count, verdict.objects_count) == (1, 0, 1)
        assert {r["rule_id"] for r in zone.refusals()} == {"http_status", "nothing_readable"}

    def test_an_error_page_among_good_replies_does_not(self, zone: Zone) -> None:
        zone.put("trades", row("trades"))
        zone.put("trades", status=503, body=b"<html>")
        verdict = zone.verdict("trades")

        assert (verdict.status, verdict.rows_count, verdict.refused_count) == ("ok", 1, 1)

    def test_a_hundred_symbols_are_not_lost_with_one_that_is_delisted(self, zone: Zone) -> None:
        zone.put("trades", *(row("trades", symbol=f"S{n}", trade_id=str(n)) for n in range(100)))
        zone.put("trades", {"reject": "GONE: no such symbol"})

        assert zone.verdict("trades").rows_count == 100

    def test_terms_without_a_listing_say_so(self, zone: Zone) -> None:
        zone.put("trades", row("trades"))
        verdict = zone.verdict("instruments")

        assert (verdict.status, verdict.objects_count) == ("ok", 0)
        assert verdict.reason == "no listing came: terms as documented"

    def test_symbols_that_nobody_knows_are_told_and_hold_nothing(self, zone: Zone) -> None:
        zone.put("trades", row("trades"), *(row("trades", symbol=f"S{n}") for n in range(9)))
        verdicts = {v.dataset: v for v in zone.ingest()}

        assert (verdicts["trades"].status, verdicts["trades"].rows_count) == ("ok", 10)
        assert (verdicts["instruments"].status, verdicts["instruments"].rows_count) == ("ok", 1)
        assert verdicts["instruments"].rejected_count == 9

    def test_a_reply_refused_for_its_symbol_is_no_rejected_row(self, zone: Zone) -> None:
        zone.put("trades", {"refuse": "MYSTERY: not of our grammar", "rule": "unknown_symbol"})
        verdict = zone.verdict("trades")

        assert (verdict.rejected_count, verdict.refused_count) == (0, 1)
        assert verdict.broken_rules == ("nothing_readable",)

    def test_a_raw_dataset_that_the_lake_does_not_have_is_held_not_written(self, zone: Zone) -> None:
        zone.put("rumours", {"px": 1})
        [verdict] = zone.ingest()

        assert (verdict.dataset, verdict.status) == ("rumours", "held")
        assert not zone.store.exists(lake_key("rumours"))


class TestTheLastGoodFileStays:
    def held_after_good(self, zone: Zone) -> tuple[bytes, Verdict]:
        zone.put("order_books", row("order_books"))
        zone.ingest()
        good = zone.store.read(lake_key("order_books"))
        for second in range(1, 5):
            zone.put("order_books", row("order_books", bid_px=[-1.0, 1.0, 1.0]), at=AT + timedelta(seconds=second))
        return good, zone.verdict("order_books")

    def test_a_held_hour_leaves_it_byte_for_byte(self, zone: Zone) -> None:
        good, verdict = self.held_after_good(zone)

        assert (verdict.status, verdict.broken_rules) == ("held", ("rejected_frac",))
        assert zone.store.read(lake_key("order_books")) == good

    def test_a_held_hour_is_told_in_quarantine_by_rule_and_number(self, zone: Zone) -> None:
        self.held_after_good(zone)
        told = [r for r in zone.refusals() if r["rule_id"] == "rejected_frac"]

        assert [(r["dataset"], r["object_key"], r["row"]) for r in told] == [("order_books", "", "")]
        assert told[0]["reason"].startswith("rejected_frac 0.8 is over 0.2: ")

    def test_a_held_dataset_does_not_hold_the_others(self, zone: Zone) -> None:
        zone.put("trades", row("trades"))
        self.held_after_good(zone)

        assert {v.dataset: v.status for v in zone.ingest()}["trades"] == "ok"

    def test_a_lost_raw_zone_does_not_take_the_lake_with_it(self, zone: Zone, tmp_path: Path) -> None:
        zone.put("trades", row("trades"))
        zone.ingest()
        empty = RawZone(Store.open(str(tmp_path / "elsewhere")))
        [verdict] = ingest(TOY, [HOUR], empty, zone.lake, zone.quarantine, ["trades"])

        assert verdict.status == "gap"
        assert len(zone.rows("trades")) == 1


class TestAgain:
    def test_the_same_raw_gives_the_same_bytes_everywhere(self, tmp_path: Path) -> None:
        dice = random.Random(5)
        envelopes = [
            (dataset, reply(dataset, row(dataset), {"reject": "odd"}, at=AT + timedelta(seconds=n)))
            for dataset in ("trades", "order_books", "candles", "perp_tickers")
            for n in range(9)
        ]
        stores = []
        for name in ("one", "two"):
            zone = zone_at(tmp_path / name)
            dice.shuffle(envelopes)
            for dataset, envelope in envelopes:
                zone.seal(dataset, envelope)
            zone.ingest("trades", "instruments")
            stores.append(zone.objects("lake/") | zone.objects("quarantine/"))
            zone.ingest("trades", "instruments")
            stores.append(zone.objects("lake/") | zone.objects("quarantine/"))

        assert all(store == stores[0] for store in stores)

    def test_an_hour_with_fewer_rows_replaces_its_file(self, tmp_path: Path) -> None:
        fuller, thinner = zone_at(tmp_path / "a"), zone_at(tmp_path / "b")
        fuller.put("trades", row("trades"), row("trades", trade_id="2"))
        thinner.put("trades", row("trades"))
        fuller.ingest()
        ingest(TOY, [HOUR], thinner.raw, fuller.lake, fuller.quarantine, ["trades"])

        assert len(fuller.rows("trades")) == 1

    def test_a_late_object_restates_its_hour_alone(self, zone: Zone) -> None:
        hours = tuple(HOUR + timedelta(hours=n) for n in range(3))
        for hour in hours:
            zone.put("trades", row("trades", event_ts=hour.isoformat()), hour=hour)
        zone.ingest(hours=hours)
        before = zone.objects("lake/")
        late = [row("trades", trade_id=str(n)) for n in range(2, 1002)]
        zone.put("trades", *late, hour=hours[1])
        zone.ingest(hours=hours)
        after = zone.objects("lake/")

        changed = {key for key in after if before.get(key) != after[key]}
        assert len(zone.rows("trades", hours[1])) == 1001
        assert changed == {
            f"lake/{dataset}/venue=toy/date=2024-01-14/hour=21.parquet" for dataset in ("trades", "coverage")
        }

    def test_hours_judged_together_equal_hours_judged_alone(self, tmp_path: Path) -> None:
        together, alone = zone_at(tmp_path / "a"), zone_at(tmp_path / "b")
        hours = tuple(HOUR + timedelta(hours=n) for n in range(6))
        for zone in (together, alone):
            dice = random.Random(13)
            for hour in hours:
                px = dice.choice([1.0, 9.0, -1.0])
                at = hour + timedelta(minutes=1)
                trades = [
                    row("trades", trade_id=str(n), px=p, event_ts=at.isoformat()) for n, p in enumerate((1.0, px))
                ]
                zone.put("trades", *trades, hour=hour)
        told = together.ingest(hours=hours)
        apart = [verdict for hour in hours for verdict in alone.ingest(hours=(hour,))]

        assert told == apart
        assert together.objects("lake/") == alone.objects("lake/")
        assert {v.status for v in told if v.dataset == "trades"} == {"ok", "held"}


class TestCoverage:
    def test_every_verdict_is_a_row(self, zone: Zone) -> None:
        zone.put("trades", row("trades"))
        zone.put("order_books", status=500)
        zone.quarantine.note_gaps("toy", HOUR, {"candles": ["timed out"]})
        verdicts = zone.ingest("candles", "order_books", "trades")
        table = zone.lake.read("coverage", "toy", HOUR)

        assert table.schema.equals(COVERAGE_SCHEMA)
        assert [(r["dataset"], r["status"], r["broken_rules"]) for r in table.to_pylist()] == [
            ("candles", "gap", None),
            ("instruments", "ok", None),
            ("order_books", "held", "nothing_readable"),
            ("trades", "ok", None),
        ]
        assert [v.dataset for v in verdicts] == [r["dataset"] for r in table.to_pylist()]
        assert [v.reason for v in verdicts] == [r["reason"] for r in table.to_pylist()]

    def test_a_reader_finds_its_columns_before_the_first_verdict(self, zone: Zone) -> None:
        assert zone.ingest(hours=()) == []
        [empty] = zone.lake.files("coverage", [HOUR])

        assert empty.endswith("lake/coverage/_empty.parquet")

    def test_every_hour_is_data_or_gap_and_never_both(self, zone: Zone) -> None:
        """Five hundred faulty replies over hours and datasets: data, else a reason, for each."""
        dice = random.Random(17)
        datasets = ("trades", "order_books", "perp_tickers", "open_interest", "candles")
        hours = tuple(HOUR + timedelta(hours=n) for n in range(60))
        came: dict[tuple[str, datetime], list[Envelope]] = {}
        for number in range(500):
            dataset, hour = dice.choice(datasets), dice.choice(hours)
            at = hour + timedelta(minutes=2, seconds=number)
            good = row(dataset, event_ts=at.isoformat())
            came.setdefault((dataset, hour), []).append(
                dice.choice(
                    [
                        reply(dataset, at=at, status=dice.choice([418, 429, 500, 503])),
                        reply(dataset, at=at, body=b"<html>down for maintenance</html>"),
                        reply(dataset, {"reject": "no symbol"}, good, at=at),
                        reply(dataset, at=at),
                        reply(dataset, good | {"symbol": ""}, at=at),
                        reply(dataset, good, at=at),
                    ]
                )
            )
        for (dataset, hour), envelopes in came.items():
            zone.seal(dataset, *envelopes, hour=hour)
        verdicts = zone.ingest(*datasets, hours=hours)

        assert Counter((v.dataset, v.hour) for v in verdicts if v.dataset in datasets) == Counter(
            (dataset, hour) for dataset in datasets for hour in hours
        )
        assert {v.status for v in verdicts} == {"ok", "gap", "held"}
        for v in verdicts:
            key = f"lake/{v.dataset}/venue=toy/date={v.hour:%Y-%m-%d}/hour={v.hour:%H}.parquet"
            assert zone.store.exists(key) is (v.status == "ok"), v
            assert v.reason or v.status == "ok", v
            assert bool(v.broken_rules) is (v.status == "held"), v


def test_recorded_books_go_through_raw_and_lake_unchanged(
    zone: Zone, recorded: Callable[[str], list[Envelope]]
) -> None:
    hour = datetime(2024, 8, 8, 23, tzinfo=UTC)
    envelopes = [e for e in recorded("binance_l2_2024-08-08/rest.jsonl.zst") if e.venue == "binance_spot"]
    zone.raw.write("binance_spot", "order_books", hour, [e for e in envelopes if e.path.endswith("/depth")])
    zone.raw.write("binance_spot", "trades", hour, [e for e in envelopes if e.path.endswith("/trades")])
    wanted = ("order_books", "trades", "instruments")
    verdicts = ingest(VENUES["binance_spot"], [hour], zone.raw, zone.lake, zone.quarantine, wanted)

    assert {v.dataset: v.status for v in verdicts} == dict.fromkeys(wanted, "ok")
    book = zone.lake.read("order_books", "binance_spot", hour).to_pylist()[0]
    replies = [json.loads(e.reply_bytes) for e in envelopes if e.path.endswith("/depth")]
    sources = [[float(px) for px, _ in said["bids"]] for said in replies]
    assert book["bid_px"] in sources


def test_a_verdict_can_be_put_into_words(zone: Zone) -> None:
    """The graph reports verdicts as metadata, so they must be plain values."""
    zone.put("trades", row("trades"))

    assert msgspec.json.encode(zone.ingest("trades"))
