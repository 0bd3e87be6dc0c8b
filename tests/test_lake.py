"""Raw objects are written once; lake files are a pure function of their rows."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.envelopes import Envelope, Unreadable, seal
from ingestion.lake import INSTANT, Lake, schema_of, to_table
from ingestion.raw import RawZone
from ingestion.records import DATASETS, FundingRate, IndexPrice, OrderBook, Trade
from ingestion.storage import Missing, StorageError, Store

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
        keys = [(r["kind"], r["symbol"], r["captured_ts"], r["event_ts"]) for r in table.to_pylist()]
        assert keys == sorted(keys, key=lambda key: (*key[:3], key[3] is not None, key[3] or HOUR))
        assert set(table["utc_hour"].to_pylist()) == {HOUR}

    def test_orders_rows_that_differ_only_in_their_lists(self) -> None:
        books = [book(3.0, 2.0), book(3.0), book(2.0, 1.0), book()]
        assert to_table(OrderBook, HOUR, books).equals(to_table(OrderBook, HOUR, books[::-1]))

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_holds_no_number_that_is_not_finite(self, number: float) -> None:
        with pytest.raises(ValueError, match=r"^trades\.px: -?(nan|inf) \(expected a finite number\)$"):
            to_table(Trade, HOUR, [trade(1), trade(2, px=number)])
        with pytest.raises(ValueError, match=r"^order_books\.bid_px: "):
            to_table(OrderBook, HOUR, [book(2.0, number)])
        rate = FundingRate(venue="okx", symbol="B", kind="perp", captured_ts=HOUR, funding_rate=0.0, mark_px=number)
        with pytest.raises(ValueError, match=r"^funding_rates\.mark_px: "):
            to_table(FundingRate, HOUR, [rate])


class TestTheLake:
    def test_gives_back_its_rows_to_the_bit(self, store: Store) -> None:
        lake = Lake(store)
        books = [
            book(0.1 + 0.2, 1e-300, 5e-324, 1.7976931348623157e308),
            book(at=datetime(2099, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ]
        for record, rows in ((Trade, [trade(n) for n in range(500)]), (OrderBook, books)):
            table = to_table(record, HOUR, rows)
            lake.write("trades" if record is Trade else "order_books", "okx", HOUR, table)
            found = lake.read("trades" if record is Trade else "order_books", "okx", HOUR)
            assert found.equals(table)
            assert found.schema.equals(table.schema)

    def test_writes_the_same_bytes_for_the_same_rows(self, store: Store) -> None:
        lake = Lake(store)
        trades = [trade(n) for n in range(5000)]
        key = lake.write("trades", "okx", HOUR, to_table(Trade, HOUR, trades))
        first = store.read(key)
        lake.write("trades", "okx", HOUR, to_table(Trade, HOUR, trades[::-1]))

        assert key == "lake/trades/venue=okx/date=2026-01-02/hour=13.parquet"
        assert store.read(key) == first

    def test_splits_the_bytes_of_floats_and_compresses_all(self, store: Store) -> None:
        key = Lake(store).write("order_books", "okx", HOUR, to_table(OrderBook, HOUR, [book(2.0, 1.0)]))
        group = pq.ParquetFile(store.open_read(key)).metadata.row_group(0)
        columns = {c.path_in_schema: c for c in (group.column(n) for n in range(group.num_columns))}

        assert "BYTE_STREAM_SPLIT" in columns["bid_px.list.element"].encodings
        assert not columns["bid_px.list.element"].has_dictionary_page
        assert columns["symbol"].has_dictionary_page
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

        assert [column[0] for column in read.description] == schema_of(DATASETS[dataset]).names
        assert read.fetchall() == []

    def test_duckdb_reads_instants_as_utc_and_lists_as_doubles(self, store: Store) -> None:
        lake = Lake(store)
        lake.write("order_books", "okx", HOUR, to_table(OrderBook, HOUR, [book(2.5, 1.25)]))
        files = lake.files("order_books", [HOUR])
        types = duckdb.connect().execute(
            "select typeof(captured_ts), typeof(bid_px), epoch_us(captured_ts), bid_px from read_parquet($1)",
            [files],
        )
        expected = round(CAPTURED.timestamp() * 1e6)
        assert types.fetchall() == [("TIMESTAMP WITH TIME ZONE", "DOUBLE[]", expected, [2.5, 1.25])]

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
