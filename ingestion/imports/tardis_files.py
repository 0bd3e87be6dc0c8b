"""What Tardis calls its files: https://docs.tardis.dev/downloadable-csv-files/overview"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath

from ingestion.imports.layouts import TICKER_DATASETS, Layout
from ingestion.imports.tardis_exchanges import EXCHANGES, REFUSED
from ingestion.imports.tardis_layouts import LAYOUTS
from ingestion.venues.base import Refused

HOST = "datasets.tardis.dev"
RAW_DATASET = "tardis"

_TYPE = r"(?P<exchange>[a-z0-9-]+){0}(?P<data_type>[A-Za-z0-9_]+?){0}"
# What Tardis's own clients name a download, and how its API names it.
_NAME = re.compile(_TYPE.format("_") + r"(?P<day>\d{4}-\d\d-\d\d)_(?P<symbol>[^/\\\s]+)\.csv\.gz")
_PATH = re.compile(r"(?:.*/)?" + _TYPE.format("/") + r"(?P<day>\d{4}/\d\d/\d\d)/(?P<symbol>[^/\\\s]+)\.csv\.gz")


@dataclass(frozen=True, slots=True)
class TardisFile:
    """Which file it is, by Tardis's own naming."""

    exchange: str
    data_type: str
    day: date
    symbol: str

    host = HOST
    raw_dataset = RAW_DATASET
    member = None
    checksum_is_published = False

    @classmethod
    def named(cls, local: PurePath) -> "TardisFile":
        """Read a local path: by the file's name, or by the folders that the API has. Raises `Refused`."""
        found = _NAME.fullmatch(local.name) or _PATH.fullmatch(local.as_posix())
        if found is None:
            raise Refused(
                "file_name",
                f"{local.name}: not a name of Tardis's "
                "(expected deribit_trades_2024-01-14_BTC-PERPETUAL.csv.gz or deribit/trades/2024/01/14/….csv.gz)",
            )
        exchange, data_type = found["exchange"], found["data_type"]
        if exchange not in EXCHANGES:
            reason = REFUSED.get(exchange, f"no venue here (expected one of {', '.join(EXCHANGES)})")
            raise Refused("exchange", f"{local.name}: exchange {exchange}: {reason}")
        if data_type not in LAYOUTS:
            raise Refused("kind", f"{local.name}: kind {data_type}: unknown (expected one of {', '.join(LAYOUTS)})")
        if data_type == "trades" and (no_trades := EXCHANGES[exchange].no_trades):
            raise Refused("kind", f"{local.name}: trades of {exchange}: {no_trades}")
        if data_type == "liquidations" and EXCHANGES[exchange].liquidation_px is None:
            raise Refused("kind", f"{local.name}: {exchange} does not tell at what price it liquidates")
        try:
            day = date.fromisoformat(found["day"].replace("/", "-"))
        except ValueError as error:
            raise Refused("file_name", f"{local.name}: {error}") from error
        return cls(exchange, data_type, day, found["symbol"])

    @property
    def venue(self) -> str:
        return EXCHANGES[self.exchange].venue

    @property
    def path(self) -> str:
        """Where Tardis has it, below the host."""
        return f"/v1/{self.exchange}/{self.data_type}/{self.day:%Y/%m/%d}/{self.symbol}.csv.gz"

    @property
    def layouts(self) -> tuple[Layout, ...]:
        return (LAYOUTS[self.data_type],)

    @property
    def dataset(self) -> str:
        """The dataset of the lake that it fills first."""
        return LAYOUTS[self.data_type].dataset or TICKER_DATASETS[EXCHANGES[self.exchange].kinds[0]]

    @property
    def has_changes(self) -> bool:
        """Whether a line means something only after those before it."""
        return self.data_type == "incremental_book_L2"

    @property
    def period(self) -> tuple[datetime, datetime]:
        start = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        return start, start + timedelta(days=1)
