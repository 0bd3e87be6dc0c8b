"""However the rows come, however little memory there is, an hour is the same to the byte; damage costs only itself."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ingestion.envelopes import Envelope, Unreadable, seal
from ingestion.lake import Lake
from ingestion.normalise import normalise
from ingestion.records import Trade
from ingestion.runs import Memory
from ingestion.storage import Store
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Reply, Venue
from ingestion.venues.streams import Said, Stream, Told
from tests.toy_hour import ReadHour, read_hour
from tests.toy_venue import AT, HOUR, TOY, key, record, reply, row

DATASETS = ("trades", "order_books", "candles", "perp_tickers", "instruments", "liquidations", "funding_rates")


def messy_hour(dice: random.Random) -> list[tuple[str, list[Envelope]]]:
    """Rows said twice and thrice, completed, corrected and contradicted, some of them bad, in many objects."""
    objects = []
    for number in range(60):
        dataset = dice.choice(DATASETS)
        rows = []
        for _ in range(dice.randrange(1, 6)):
            symbol = dice.choice(["BTC-USD-PERP", "A", "B"])
            changes: dict[str, object] = {"symbol": symbol}
            if dataset == "trades":
                changes |= {"trade_id": str(dice.randrange(40)), "px": dice.choice([100.0, 100.0, 100.0, 101.0, -1.0])}
            if dataset == "candles":
                changes |= {"close_px": dice.choice([100.0, 101.0, 102.0, 500.0])}
            if dataset == "perp_tickers":
                changes |= {"mark_px": dice.choice([100.0, None]), "last_px": dice.choice([99.0, 98.0, None])}
            if dataset == "order_books":
                changes |= {"bid_qty": [dice.choice([1.0, 2.0]), 2.0, 0.1 + 0.2]}
            rows.append(row(dataset, **changes))
        at = AT + timedelta(seconds=dice.choice([0, 0, 1, 2]))
        objects.append((key(dataset, str(number)), [reply(dataset, *rows, at=at)]))
    return objects


@pytest.mark.parametrize("seed", range(5))
def test_portions_and_memory_change_nothing(seed: int) -> None:
    """From every row on disk by itself to the whole hour in memory, in any order of objects."""
    dice = random.Random(seed)
    objects = messy_hour(dice)
    whole = read_hour(TOY, HOUR, objects)
    assert {"conflicting_duplicate", "positive"} <= set(whole.rules)
    assert whole.grains == {dataset: len(rows) for dataset, rows in whole.records.items()}

    for portion_bytes, waiting_bytes in ((1, 1), (1, 10**9), (10**9, 1), (700, 3_000), (5_000, 20_000)):
        dice.shuffle(objects)
        assert read_hour(TOY, HOUR, objects, portion_bytes=portion_bytes, waiting_bytes=waiting_bytes) == whole


def test_an_hour_spilled_to_disk_is_the_same_file(tmp_path: Path, recorded: Callable[[str], list[Envelope]]) -> None:
    hour = datetime(2024, 8, 8, 23, tzinfo=UTC)
    envelopes = [e for e in recorded("binance_l2_2024-08-08/rest.jsonl.zst") if e.venue == "binance_usdm"][:60]
    lake = Lake(Store.open(str(tmp_path)))
    files = []
    for waiting_bytes in (10**9, 100_000):
        memory = Memory(tmp_path, waiting_bytes)
        found = normalise(VENUES["binance_usdm"], hour, [("raw/binance_usdm/trades/x", envelopes)], memory)
        for dataset, tables in found.settled():
            lake.prepare(dataset, "binance_usdm", tables, tmp_path / f"{dataset}.parquet")
        files.append({path.name: path.read_bytes() for path in sorted(tmp_path.glob("*.parquet"))})

    assert set(files[0]) == {"instruments.parquet", "order_books.parquet", "trades.parquet"}
    assert files[0] == files[1]


class TestAStream:
    """The frames of an hour are one sequence, in the order of the objects' keys."""

    @staticmethod
    def venue() -> Venue:
        """A stream of trades; each frame says an id, and whether all ids before it were heard in order."""

        def read(said: Reply) -> Iterator[Said]:
            yield msgspec.structs.replace(record("trades"), trade_id=said.body.decode(), captured_ts=said.captured_ts)

        stream = Stream(
            name="toys",
            url="wss://toy.example",
            docs_url="https://toy.example/docs",
            channels=_no_channels,
            tells=lambda channel: Told("trades", "perp", channel),
            subscribe=lambda channels: (),
            read=read,
            silence_s=3_600.0,
            max_channels=1,
            counts_trades=True,
        )
        return replace(TOY, streams=(stream,))

    @staticmethod
    def frames(*numbers: int) -> list[Envelope]:
        sealed = [
            seal(
                venue="toy", host="toy.example", path="/ws/toys", query="connection=1", status=101,
                captured_ts=AT + timedelta(seconds=n), body=str(n).encode(),
            )
            for n in numbers
        ]  # fmt: skip
        return [msgspec.structs.replace(envelope, method="WS") for envelope in sealed]

    def read(self, *objects: tuple[str, list[Envelope] | Iterator[Envelope]]) -> ReadHour:
        return read_hour(self.venue(), HOUR, objects)

    def test_is_read_across_its_objects_in_the_order_of_keys(self) -> None:
        """Trade ids rise by one, so a hole would be told had the second object been read first."""
        first, second = (key("stream", "a"), self.frames(1, 2)), (key("stream", "b"), self.frames(3, 4))
        found = self.read(second, first)

        assert found == self.read(first, second)
        assert [each.trade_id for each in found.records["trades"] if isinstance(each, Trade)] == ["1", "2", "3", "4"]
        assert "stream_holes" not in found.records
        assert found.objects == {"trades": frozenset({first[0], second[0]})}

    def test_an_object_that_breaks_off_costs_itself_and_is_a_hole(self) -> None:
        def broken_off() -> Iterator[Envelope]:
            yield from self.frames(1, 2)
            raise Unreadable("object line 3: damaged zstd stream")

        found = self.read((key("stream", "a"), broken_off()), (key("stream", "b"), self.frames(5, 6)))

        assert [each.trade_id for each in found.records["trades"] if isinstance(each, Trade)] == ["1", "2", "5", "6"]
        assert [(r["rule_id"], r["object_key"]) for r in found.rejects] == [("unreadable_object", key("stream", "a"))]
        assert {hole.reason for hole in found.records["stream_holes"]} == {"gap"}  # type: ignore[attr-defined]

    def test_of_which_nothing_can_be_read_is_told_of(self) -> None:
        """It is no dataset of the lake's, so only then is there anything to say of it."""
        frame = msgspec.structs.replace(self.frames(1)[0], path="/ws/unknown")
        found = self.read((key("stream", "a"), [frame]))

        assert found.rules == ["unknown_endpoint"]
        assert found.objects == {"stream": frozenset({key("stream", "a")})}


def _no_channels(plan: Plan) -> list[str]:
    return []
