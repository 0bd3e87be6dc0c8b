"""Files of vendors, made in the formats that they document; every figure in them is made up.

Tardis: https://docs.tardis.dev/downloadable-csv-files/data-types
Binance: https://github.com/binance/binance-public-data
"""

import gzip
import hashlib
import random
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

DAY = datetime(2024, 1, 14, tzinfo=UTC)
DAY_US = 1_705_190_400_000_000  # 2024-01-14T00:00Z; by hand: 19,736 days of 86,400 s
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US

Cell = str | int | float
Line = Sequence[Cell]

TARDIS_HEADERS = {
    "trades": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
    "liquidations": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
    "quotes": "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
    "book_ticker": "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
    "derivative_ticker": "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,"
    "predicted_funding_rate,open_interest,last_price,index_price,mark_price",
    "options_chain": "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,"
    "bid_price,bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,"
    "delta,gamma,vega,theta,rho",
    "incremental_book_L2": "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
    **{
        f"book_snapshot_{levels}": "exchange,symbol,timestamp,local_timestamp,"
        + ",".join(f"asks[{n}].price,asks[{n}].amount,bids[{n}].price,bids[{n}].amount" for n in range(levels))
        for levels in (5, 25)
    },
}
_BARS = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
VISION_HEADERS = {
    ("trades", "um"): "id,price,qty,quote_qty,time,is_buyer_maker",
    ("trades", "cm"): "id,price,qty,base_qty,time,is_buyer_maker",
    ("aggTrades", "um"): "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    ("klines", "um"): _BARS,
    ("klines", "cm"): _BARS,
    ("markPriceKlines", "um"): _BARS,
    ("indexPriceKlines", "um"): _BARS,
    ("indexPriceKlines", "cm"): _BARS,
    ("bookTicker", "um"): "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,"
    "transaction_time,event_time",
    ("metrics", "um"): "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,"
    "sum_taker_long_short_vol_ratio",
    ("fundingRate", "um"): "calc_time,funding_interval_hours,last_funding_rate",
    ("liquidationSnapshot", "cm"): "time,side,order_type,time_in_force,original_quantity,price,average_price,"
    "order_status,last_fill_quantity,accumulated_fill_quantity",
    ("BVOLIndex", "option"): "calc_time,symbol,base_asset,quote_asset,index_value",
    ("EOHSummary", "option"): "date,hour,symbol,underlying,type,strike,open,high,low,close,volume_contracts,"
    "volume_usdt,best_bid_price,best_ask_price,best_bid_qty,best_ask_qty,best_buy_iv,best_sell_iv,mark_price,mark_iv,"
    "delta,gamma,vega,theta,openinterest_contracts,openinterest_usdt",
}


def csv(header: str | None, lines: Iterable[Line]) -> bytes:
    text = [] if header is None else [header]
    text += [",".join(map(str, line)) for line in lines]
    return ("\n".join(text) + "\n").encode()


def tardis(
    folder: Path, kind: str, exchange: str, symbol: str, lines: Iterable[Line], *, header: str | None = None
) -> Path:
    """A download by Tardis's own client: `deribit_trades_2024-01-14_BTC-PERPETUAL.csv.gz`."""
    path = folder / f"{exchange}_{kind}_{DAY:%Y-%m-%d}_{symbol}.csv.gz"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(csv(header or TARDIS_HEADERS[kind], lines), mtime=0))
    return path


def vision(
    folder: Path,
    market: str,
    kind: str,
    symbol: str,
    lines: Iterable[Line],
    *,
    interval: str | None = None,
    header: str | None = None,
    period: str = "2024-01-14",
    checksum: bool = True,
) -> Path:
    """A file of the archive in its folder, with its checksum beside it."""
    frequency = "daily" if period.count("-") == 2 else "monthly"
    place = Path(f"futures/{market}" if market in ("um", "cm") else market, frequency, kind, symbol, interval or "")
    name = f"{symbol}-{interval or kind}-{period}"
    path = folder / "data" / place / f"{name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    zipped(path, {f"{name}.csv": csv(header, lines)})
    if checksum:
        write_checksum(path)
    return path


def zipped(path: Path, members: dict[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return path


def write_checksum(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")


def tardis_trades(count: int, *, every_us: int = SECOND_US, start_us: int = DAY_US) -> list[Line]:
    """Trades of BTC-PERPETUAL, one every so often; the price rises by half a dollar each, every third one sells."""
    return [
        (
            *("deribit", "BTC-PERPETUAL", at := start_us + n * every_us, at + 7_003),
            *(n + 1, "sell" if n % 3 == 0 else "buy", 42_000 + n % 100 / 2, 10 * (n % 7 + 1)),
        )
        for n in range(count)
    ]


def tardis_changes(seconds: int, *, a_second: int = 2, start_us: int = DAY_US, seed: int = 7) -> list[Line]:
    """A book of BTCUSDT: a snapshot of 80 levels a side, then messages of three lines, a third of them removals."""
    head = ("binance-futures", "BTCUSDT")
    draw = random.Random(seed)
    at = start_us + 100_000
    lines: list[Line] = []
    for n in range(80):
        lines.append((*head, at, at + 50_000, "true", "bid", 42_000 - n, n + 1))
        lines.append((*head, at, at + 50_000, "true", "ask", 42_001 + n, n + 1))
    for n in range(1, seconds * a_second):
        at = start_us + SECOND_US + n * SECOND_US // a_second
        for _ in range(3):
            side, px = draw.choice((("bid", 42_000 - draw.randrange(80)), ("ask", 42_001 + draw.randrange(80))))
            lines.append((*head, at - 30_000, at, "false", side, px, draw.choice((0, 1.5, 2.25))))
    return lines


def vision_trades(count: int, *, start_ms: int = DAY_US // 1000, every_ms: int = 1_000) -> list[Line]:
    """Aggregated trades of USD-M, one every so often."""
    return [
        (
            *(1_000 + n, f"{42_000 + n % 100}.10", f"0.{n % 900 + 100}", 2_000 + 2 * n, 2_001 + 2 * n),
            *(start_ms + n * every_ms, "true" if n % 3 == 0 else "false"),
        )
        for n in range(count)
    ]
