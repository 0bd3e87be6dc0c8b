"""Raw objects are written once; lake files are a pure function of their rows."""

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import books_layout
from ingestion.columns import INSTANT, Unfit, as_table, schema_of, to_records
from ingestion.envelopes import Envelope, Unreadable, seal
from ingestion.lake import Lake, to_parquet
from ingestion.raw import RawZone
from ingestion.records import DATASETS, FundingRate, IndexPrice, OrderBook, Trade
from ingestion.storage import Missing, StorageError, Store
from tests.toy_hour import to_table
from tests.toy_venue import record

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
CAPTURED = HOUR + timedelta(seconds=5, microseconds=123_456)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path))


def reply(body: bytes = b'{"a":1.10}', at: datetime = CAPTURED) -> Envelope:
    return seal(venue="okx", host="h", path="/p", query="q=1", status=200, captured_ts=at, body=body)


def trade(n: int, px: float = 100.0) -> Trade:
    return Trade(
        venue="okx",
        symbol=f"BTC-{n % 3}",
        kind="spot",
        captured_ts=CAPTURED,
        event_ts=None if n % 5 == 0 else HOUR + timedelta(seconds=n % 7),
        trade_id=str(n),
        px=px,
        qty=n / 7,
        side="buy" if n % 2 else "sell",
    )


def book(*bids: float, at: datetime = CAPTURED) -> OrderBook:
    return OrderBook(
        venue="okx",
        symbol="BTC",
        kind="spot",
        captured_ts=at,
        bid_px=bids,
        bid_qty=bids,
        ask_px=(),
        ask_qty=(),
    )


class TestTheRawZone:
    def test_gives_back_replies_byte_for_byte_in_order(self, store: Store) -> None:
        raw = RawZone(store)
        bodies = [b'{"px":1.10,"b":[1,2]}', b"[]", b"<html>", b'{\n "a": 1}', b"\xff\xfe"]
        key = raw.write("okx", "order_books", HOUR, [reply(body) for body in bodies])

        assert [envelope.reply_bytes for envelope in raw.read(key)] == bodies
        assert [envelope.at for envelope in raw.read(key)] == [CAPTURED] * len(bodies)

    def test_names_an_object_by_its_first_capture_and_its_content(self, store: Store) -> None:
        raw = RawZone(store)
        key = raw.write("okx", "order_books", HOUR, [reply(), reply(at=CAPTURED + timedelta(seconds=9))])
        folder, _, name = key.rpartition("/")

        assert folder == "raw/okx/order_books/date=2026-01-02/hour=13"
        assert name.startswith("20260102T130005123456Z-")
        assert name.endswith(".jsonl.zst")
        again = [reply(), reply(at=CAPTURED + timedelta(seconds=9))]
        assert raw.write("okx", "order_books", HOUR, again) == key
        assert raw.write("okx", "order_books", HOUR, [reply(b"{}")]) != key
        assert len(raw.objects("okx", HOUR)) == 2

    def test_finds_an_hour_of_one_venue_and_no_other(self, store: Store) -> None:
        raw = RawZone(store)
        keys = [raw.write("okx", dataset, HOUR, [reply()]) for dataset in ("trades", "order_books")]
        raw.write("okx", "candles", HOUR + timedelta(hours=1), [reply()])
        raw.write("bybit", "trades", HOUR, [reply()])

        assert raw.objects("okx", HOUR) == sorted(keys)
        assert raw.datasets("okx", HOUR) == ["order_books", "trades"]
        assert raw.objects("deribit", HOUR) == raw.datasets("deribit", HOUR) == []

    @pytest.mark.parametrize("name", ["", "..", "a/b", "OKX", "okx;drop", "a b"])
    def test_refuses_names_that_are_no_names(self, store: Store, name: str) -> None:
        with pytest.raises(ValueError, match="expected lower-case letters, digits and underscores"):
            RawZone(store).write(name, "trades", HOUR, [reply()])
        with pytest.raises(ValueError, match="expected lower-case letters, digits and underscores"):
            RawZone(store).write("okx", name, HOUR, [reply()])
        assert store.list("") == []

    def test_refuses_an_empty_object(self, store: Store) -> None:
        with pytest.raises(ValueError, match="no envelopes"):
            RawZone(store).write("okx", "trades", HOUR, [])

    def test_names_a_damaged_object(self, store: Store) -> None:
        raw = RawZone(store)
        key = raw.write("okx", "trades", HOUR, [reply(b"[" + b"1," * 5000 + b"1]")])
        whole = store.read(key)
        for damaged in (whole[:-1], whole[:-20], whole[:30], b"", whole + whole, b"x" + whole[1:]):
            store.put(key, damaged)
            with pytest.raises(Unreadable, match=key):
                list(raw.read(key))


class TestATable:
    def test_has_the_records_columns_after_the_hour(self) -> None:
        schema = schema_of(Trade)
        assert schema.names == ["utc_hour", *Trade.__struct_fields__]
        assert schema.field("utc_hour").type == schema.field("event_ts").type == INSTANT
        assert schema.field("px").type == pa.float64()
        assert schema.field("is_aggregate").type == pa.bool_()
        assert schema.field("side").type == schema.field("kind").type == pa.string()
        assert schema_of(OrderBook).field("sequence_id").type == pa.int64()
        assert schema_of(OrderBook).field("bid_px").type == pa.list_(pa.float64())
        assert [field.name for field in schema if field.nullable] == ["event_ts"]

    @pytest.mark.parametrize("dataset", DATASETS)
    def test_every_dataset_has_columns(self, dataset: str) -> None:
        assert to_table(DATASETS[dataset], HOUR, []).schema.equals(schema_of(DATASETS[dataset]))

    def test_is_the_same_whatever_order_the_rows_came_in(self) -> None:
        trades = [trade(n) for n in range(500)]
        shuffled = random.Random(7).sample(trades, len(trades))
        table = to_table(Trade, HOUR, trades)

        assert table.equals(to_table(Trade, HOUR, shuffled))
        keys = [(r["kind"], r["symbol"], r["is_aggregate"], r["trade_id"]) for r in table.to_pylist()]
        assert keys == sorted(keys)
        assert set(table["utc_hour"].to_pylist()) == {HOUR}

    @pytest.mark.parametrize("dataset", DATASETS)
    def test_gives_back_its_records(self, dataset: str) -> None:
        rows = [record(dataset, captured_ts=CAPTURED), record(dataset, captured_ts=HOUR)]

        assert to_records(DATASETS[dataset], as_table(DATASETS[dataset], HOUR, rows)) == rows

    def test_has_one_zero(self) -> None:
        rate = FundingRate(venue="okx", symbol="B", kind="perp", captured_ts=HOUR, funding_rate=-0.0)

        assert math.copysign(1, as_table(FundingRate, HOUR, [rate])["funding_rate"][0].as_py()) == 1

    @pytest.mark.parametrize(
        ("dataset", "changes"),
        [
            ("trades", {"px": True}),
            ("trades", {"px": "100"}),
            ("trades", {"px": 2**60 + 1}),
            ("trades", {"px": None}),
            ("trades", {"trade_id": b"1"}),
            ("trades", {"is_aggregate": 1}),
            ("trades", {"event_ts": CAPTURED.replace(tzinfo=None)}),
            ("trades", {"event_ts": 5}),
            ("candles", {"interval_s": 60.0}),
            ("liquidations", {"liquidation_id": "\ud800"}),
            ("order_books", {"bid_px": [100.0, "99"]}),
            ("order_books", {"bid_px": [100.0, None]}),
            ("order_books", {"bid_px": 100.0}),
        ],
    )
    def test_holds_no_value_of_another_type(self, dataset: str, changes: dict[str, Any]) -> None:
        """Arrow would take a truth for a 1, bytes for text and 1.5 for 1."""
        [field] = changes
        row = msgspec.structs.replace(record(dataset), **changes)

        with pytest.raises(Unfit, match=rf"^{dataset}\.{field}: "):
            as_table(DATASETS[dataset], HOUR, [record(dataset), row])


class TestTheLake:
    def test_gives_back_its_rows_to_the_bit(self, store: Store) -> None:
        lake = Lake(store)
        books = [
            book(0.1 + 0.2, 1e-300, 5e-324, 1.7976931348623157e308),
            book(at=datetime(2099, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ]
        for kind, rows in ((Trade, [trade(n) for n in range(500)]), (OrderBook, books)):
            table = to_table(kind, HOUR, rows)
            lake.write("trades" if kind is Trade else "order_books", "okx", HOUR, table)
            found = lake.read("trades" if kind is Trade else "order_books", "okx", HOUR)
            assert found.equals(table)
            assert found.schema.equals(table.schema)

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_takes_no_number_that_is_not_finite(self, store: Store, number: float) -> None:
        rate = FundingRate(venue="okx", symbol="B", kind="perp", captured_ts=HOUR, funding_rate=0.0, mark_px=number)
        odd = {"trades": trade(2, px=number), "order_books": book(2.0, number), "funding_rates": rate}
        fields = {"trades": "px", "order_books": "bid_px", "funding_rates": "mark_px"}
        for dataset, row in odd.items():
            message = rf"^{dataset}\.{fields[dataset]}: -?(nan|inf) \(expected a finite number\)$"
            with pytest.raises(ValueError, match=message):
                Lake(store).write(dataset, "okx", HOUR, as_table(DATASETS[dataset], HOUR, [row]))
        assert store.list("lake/") == []

    def test_writes_the_same_bytes_for_the_same_rows(self, store: Store) -> None:
        lake = Lake(store)
        trades = [trade(n) for n in range(5000)]
        key = lake.write("trades", "okx", HOUR, to_table(Trade, HOUR, trades))
        first = store.read(key)
        lake.write("trades", "okx", HOUR, to_table(Trade, HOUR, trades[::-1]))

        assert key == "lake/trades/venue=okx/date=2026-01-02/hour=13.parquet"
        assert store.read(key) == first

    def test_splits_the_bytes_of_numbers_and_compresses_all(self, store: Store) -> None:
        key = Lake(store).write("order_books", "okx", HOUR, to_table(OrderBook, HOUR, [book(2.0, 1.0)]))
        group = pq.ParquetFile(store.open_read(key)).metadata.row_group(0)
        columns = {c.path_in_schema: c for c in (group.column(n) for n in range(group.num_columns))}

        for path in ("bid_step.list.element", "ask_size.list.element", "bid_px.list.element", "best_bid"):
            assert "BYTE_STREAM_SPLIT" in columns[path].encodings
            assert not columns[path].has_dictionary_page
        assert columns["symbol"].has_dictionary_page
        assert columns["captured_ts"].is_stats_set
        assert not columns["ask_size.list.element"].is_stats_set
        assert {column.compression for column in columns.values()} == {"ZSTD"}

    def test_lists_exactly_the_files_of_the_hours_asked_for(self, store: Store) -> None:
        lake = Lake(store)
        hours = [HOUR, HOUR + timedelta(hours=1), HOUR + timedelta(hours=11)]
        for venue in ("okx", "bybit"):
            for hour in hours:
                rows = [IndexPrice(
                    venue=venue, symbol="BTC-USD", kind="spot", captured_ts=hour,
                    base_asset="BTC", quote_asset="USD", index_px=1.0,
                )]  # fmt: skip
                lake.write("index_prices", venue, hour, to_table(IndexPrice, hour, rows))
        empty = store.uri("lake/index_prices/_empty.parquet")

        assert lake.files("index_prices", hours[:1]) == [
            empty,
            store.uri("lake/index_prices/venue=bybit/date=2026-01-02/hour=13.parquet"),
            store.uri("lake/index_prices/venue=okx/date=2026-01-02/hour=13.parquet"),
        ]
        assert len(lake.files("index_prices", hours)) == 7
        assert lake.files("index_prices", [HOUR - timedelta(hours=1)]) == [empty]
        lake.remove("index_prices", "okx", HOUR)
        lake.remove("index_prices", "okx", HOUR)
        assert len(lake.files("index_prices", hours[:1])) == 2
        with pytest.raises(Missing):
            lake.read("index_prices", "okx", HOUR)

    @pytest.mark.parametrize("dataset", DATASETS)
    def test_duckdb_reads_an_hour_without_rows_with_every_column(self, store: Store, dataset: str) -> None:
        files = Lake(store).files(dataset, [HOUR])
        read = duckdb.connect().execute("select * from read_parquet($1)", [files])

        stored = books_layout.SCHEMA if dataset == "order_books" else schema_of(DATASETS[dataset])
        assert [column[0] for column in read.description] == stored.names
        assert read.fetchall() == []

    def test_duckdb_reads_every_column_of_every_dataset_but_books(self, store: Store) -> None:
        lake = Lake(store)
        for dataset in DATASETS.keys() - {"order_books"}:
            table = to_table(DATASETS[dataset], HOUR, [record(dataset), record(dataset, captured_ts=CAPTURED)])
            lake.write(dataset, "toy", HOUR, table)
            found = duckdb.connect().execute("select * from read_parquet($1)", [lake.files(dataset, [HOUR])])
            assert found.to_arrow_table().cast(table.schema).equals(table)

    def test_sql_gets_the_offsets_of_books_of_exactly_the_hours_asked_for(self, store: Store) -> None:
        lake = Lake(store)
        for hour in (HOUR, HOUR + timedelta(hours=1)):
            lake.write("order_books", "okx", hour, to_table(OrderBook, hour, [book(2.5, 1.25)]))
        [row] = lake.staged("order_books", [HOUR]).read_all().to_pylist()

        assert (row["px_scale"], row["best_bid"], row["bid_offset"], row["bid_px"]) == (2, 250, [0, 125], None)
        assert lake.staged("order_books", [HOUR - timedelta(hours=1)]).read_all().num_rows == 0

    def test_a_file_of_an_earlier_layout_is_refused_not_read_as_nulls(self, store: Store) -> None:
        lake = Lake(store)
        key = lake.write("order_books", "okx", HOUR, to_table(OrderBook, HOUR, [book(2.5, 1.25)]))
        store.put(key, to_parquet(to_table(OrderBook, HOUR, [book(2.5, 1.25)])))

        with pytest.raises(StorageError, match=r"hour=13.parquet: of an earlier layout \(ingest its hour again\)"):
            lake.staged("order_books", [HOUR]).read_all()

    def test_a_dataset_of_no_record_has_columns_once_declared(self, store: Store) -> None:
        table = pa.table({"venue": ["okx"], "rows_count": pa.array([3], pa.int64())})
        with pytest.raises(Missing, match="expected a declared dataset"):
            Lake(store).files("coverage", [HOUR])
        Lake(store).write("coverage", "okx", HOUR, table)

        empty, written = Lake(store).files("coverage", [HOUR])
        assert pq.read_table(empty).schema.equals(table.schema)
        assert pq.read_table(empty).num_rows == 0
        assert pq.read_table(written, partitioning=None).equals(table)

    def test_an_outdated_empty_file_is_renewed(self, store: Store) -> None:
        Lake(store).declare("trades", pa.schema([("old", pa.int64())]))
        [empty] = Lake(store).files("trades", [HOUR])
        assert pq.read_schema(empty).equals(schema_of(Trade))

    def test_a_file_holds_one_venue(self, store: Store) -> None:
        with pytest.raises(ValueError, match="rows of another venue"):
            Lake(store).write("trades", "bybit", HOUR, to_table(Trade, HOUR, [trade(1)]))

    def test_names_a_damaged_file(self, store: Store) -> None:
        lake = Lake(store)
        key = lake.write("trades", "okx", HOUR, to_table(Trade, HOUR, [trade(1)]))
        store.put(key, store.read(key)[:-9])
        with pytest.raises(StorageError, match=r"hour=13.parquet: not a whole Parquet file") as caught:
            lake.read("trades", "okx", HOUR)
        assert "\n" not in str(caught.value)
