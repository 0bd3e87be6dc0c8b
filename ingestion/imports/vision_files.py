"""What Binance calls the files of its public archive: https://github.com/binance/binance-public-data

    data/futures/um/daily/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01-14.zip

The name alone does not say the market of trades and bars, nor of what the bars are: the folder or the caller must.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Literal

from ingestion.imports.layouts import TICKER_DATASETS, Layout
from ingestion.imports.vision_layouts import LAYOUTS
from ingestion.records import Kind
from ingestion.venues.base import Refused
from ingestion.venues.binance import INTERVALS_S
from ingestion.venues.binance_futures import kind_of_dated

HOST = "data.binance.vision"
RAW_DATASET = "binance_vision"

Market = Literal["spot", "um", "cm", "option"]
MARKETS: Mapping[Market, tuple[str, tuple[Kind, ...]]] = {
    "spot": ("binance_spot", ("spot",)),
    "um": ("binance_usdm", ("perp", "future")),
    "cm": ("binance_coinm", ("perp", "future")),
    "option": ("binance_options", ("option",)),
}
NO_HOME: Mapping[str, str] = {
    "bookDepth": "sums of the book within 1 to 5 % of the price are no book: no dataset of the lake holds them",
    "premiumIndexKlines": "a premium is a fraction and no price: no dataset of the lake holds it",
}
BARS = frozenset({"klines", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines"})
KINDS = tuple(dict.fromkeys([*(kind for kinds in LAYOUTS.values() for kind in kinds), *NO_HOME]))

_NAME = re.compile(r"(?P<symbol>[^\W_]+(_[0-9A-Z]+)?)-(?P<what>[A-Za-z0-9]+)-(?P<period>\d{4}-\d\d(-\d\d)?)\.zip")
_FOLDER = re.compile(
    r"(?:.*/)?(?:futures/)?(?P<market>spot|um|cm|option)/(?:daily|monthly)/(?P<kind>\w+)/(?P<symbol>\w+)/(?:\w+/)?[^/]+"
)
# A coin against USD. `BTCBUSD_210129` is BTC in BUSD, on USD-M: of the coins with futures only BNB ends in B.
_COIN_MARGINED = re.compile(r".+USD_PERP|(BNB|.*[^B])USD_\d{6}")
_DATED = re.compile(r".+_\d{6}")


@dataclass(frozen=True, slots=True)
class VisionFile:
    """Which file it is; `interval` is of bars, `period` a day `2024-01-14` or a month `2024-01`."""

    market: Market
    kind: str
    symbol: str
    interval: str | None
    text: str

    host = HOST
    raw_dataset = RAW_DATASET
    checksum_is_published = True
    has_changes = False

    @classmethod
    def named(cls, local: PurePath, market: str | None = None, kind: str | None = None) -> "VisionFile":
        """Read a local path; `market` and `kind` tell what neither its name nor its folder does. Raises `Refused`."""
        found = _NAME.fullmatch(local.name)
        if found is None:
            raise Refused(
                "file_name",
                f"{local.name}: not a name of Binance's archive (expected BTCUSDT-aggTrades-2024-01-14.zip)",
            )
        symbol, what = found["symbol"], found["what"]
        folder = _FOLDER.fullmatch(local.as_posix())
        by_folder = folder.groupdict() if folder and folder["kind"] in KINDS and folder["symbol"] == symbol else {}
        is_bars = what in INTERVALS_S or what == "1mo"
        kinds = {name for name in (None if is_bars else what, by_folder.get("kind"), kind) if name}
        kind = _only(local.name, "kind of data", kinds, "--kind klines, or its folder data/…/klines/BTCUSDT/1h/")
        if kind not in KINDS:
            raise Refused("kind", f"{local.name}: kind {kind}: unknown (expected one of {', '.join(KINDS)})")
        if (kind in BARS) is not is_bars:
            raise Refused("file_name", f"{local.name}: {kind} (expected an interval in the names of bars alone)")
        if kind in NO_HOME:
            raise Refused("kind", f"{local.name}: {kind}: {NO_HOME[kind]}")
        if what == "1mo":
            raise Refused("interval", f"{local.name}: a month has no fixed length")
        markets = {name for name in (_by_name(symbol, kind), by_folder.get("market"), market) if name}
        found_market = _only(local.name, "market", markets, "--market spot, or its folder data/spot/daily/…")
        return cls(_market(local.name, found_market, kind), kind, symbol, what if is_bars else None, found["period"])

    @property
    def venue(self) -> str:
        return MARKETS[self.market][0]

    @property
    def path(self) -> str:
        """Where Binance has it, below the host."""
        market = f"futures/{self.market}" if self.market in ("um", "cm") else self.market
        frequency = "daily" if self.text.count("-") == 2 else "monthly"
        folder = f"{self.symbol}/{self.interval}" if self.interval else self.symbol
        name = f"{self.symbol}-{self.interval or self.kind}-{self.text}.zip"
        return f"/data/{market}/{frequency}/{self.kind}/{folder}/{name}"

    @property
    def member(self) -> str:
        """The one file in the archive."""
        return f"{self.symbol}-{self.interval or self.kind}-{self.text}.csv"

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """What its lines may be, the usual one first."""
        return LAYOUTS[self.market][self.kind]

    @property
    def dataset(self) -> str:
        """The dataset of the lake that it fills first."""
        return self.layouts[0].dataset or TICKER_DATASETS[kind_of_dated(self.symbol)]

    @property
    def period(self) -> tuple[datetime, datetime]:
        """The day or month of its name; raises `Refused` for a day that the calendar does not have."""
        year, month, *day = map(int, self.text.split("-"))
        try:
            start = datetime(year, month, day[0] if day else 1, tzinfo=UTC)
        except ValueError as error:
            raise Refused("file_name", f"{self.member}: {error}") from error
        return start, start + timedelta(days=1 if day else calendar.monthrange(year, month)[1])


def _by_name(symbol: str, kind: str) -> Market | None:
    """The market where the name alone says it."""
    if kind in ("BVOLIndex", "EOHSummary"):
        return "option"
    if _COIN_MARGINED.fullmatch(symbol):
        return "cm"
    if _DATED.fullmatch(symbol):
        return "um"
    if kind in ("bookTicker", "metrics", "fundingRate", "liquidationSnapshot", "markPriceKlines"):
        return "um"
    return None


def _market(name: str, market: str, kind: str) -> Market:
    markets: list[Market] = [known for known in MARKETS if kind in LAYOUTS[known]]
    if market not in markets:
        raise Refused("market", f"{name}: {kind} of market {market!r} (expected {' or '.join(markets)})")
    return markets[markets.index(market)]  # type: ignore[arg-type]


def _only(name: str, what: str, told: set[str], expected: str) -> str:
    if len(told) > 1:
        raise Refused("contradiction", f"{name}: its {what} is said to be {' and '.join(sorted(told))}")
    if not told:
        raise Refused("file_name", f"{name}: its name does not say its {what} (expected {expected})")
    return told.pop()
