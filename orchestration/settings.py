"""Where things are and what is asked for, read from the environment once."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from ingestion.venues import VENUES, adopt

Source = Literal["live", "sandbox"]

SOURCES = ("live", "sandbox")
SIMULATED = ("binance_spot", "binance_usdm", "binance_coinm", "deribit", "okx", "bybit", "ethereum")  # by the sandbox
HOUR_MS = 3_600_000
MAX_BOOK_LEVELS = 500  # half of the largest snapshot: the price may move before it is asked for again


class BadSetting(ValueError):
    """A setting that cannot be; the message names it, its value and what was expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment. `BAROGRAPH_*` environment variables, or the command line, fill it."""

    lake_uri: str = field(default_factory=lambda: f"file://{Path.cwd() / '.barograph' / 'lake'}")
    warehouse_path: Path = field(default_factory=lambda: Path.cwd() / ".barograph" / "warehouse.duckdb")
    source: Source = "live"
    base_url: str | None = None  # one server in the place of all venues: a proxy, or `barograph sandbox`
    base_urls: tuple[tuple[str, str], ...] = ()  # (venue, URL): an own node, a testnet, a proxy of one venue
    venues: tuple[str, ...] = ()  # none named: all that this source can answer
    underlyings: tuple[str, ...] = ("BTC", "ETH")
    sweep_minutes: int = 5
    book_every_s: float = 1.0  # between two samples of a streamed book
    book_levels: int = 50  # a side
    capture_deadline_s: float = 120.0
    sandbox_seed: int = 7
    sandbox_faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.venues:
            object.__setattr__(self, "venues", SIMULATED if self.source == "sandbox" else tuple(VENUES))

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings from the environment; raises `BadSetting`."""
        env = os.environ if environment is None else environment
        default = cls()
        return cls(
            lake_uri=env.get("BAROGRAPH_LAKE_URI") or default.lake_uri,
            warehouse_path=Path(env.get("BAROGRAPH_WAREHOUSE_PATH") or default.warehouse_path).absolute(),
            source=_source(env.get("BAROGRAPH_SOURCE") or default.source),
            base_url=_url("BAROGRAPH_BASE_URL", env.get("BAROGRAPH_BASE_URL") or "") or None,
            base_urls=_base_urls(env),
            venues=known_venues(_listed(env.get("BAROGRAPH_VENUES"))),
            underlyings=tuple(a.upper() for a in _listed(env.get("BAROGRAPH_UNDERLYINGS"))) or default.underlyings,
            sweep_minutes=_minutes(env.get("BAROGRAPH_SWEEP_MINUTES") or str(default.sweep_minutes)),
            book_every_s=_book_every_s(env.get("BAROGRAPH_BOOK_EVERY_S") or str(default.book_every_s)),
            book_levels=_book_levels(env.get("BAROGRAPH_BOOK_LEVELS") or str(default.book_levels)),
            sandbox_seed=_whole("BAROGRAPH_SANDBOX_SEED", env.get("BAROGRAPH_SANDBOX_SEED") or "7"),
            sandbox_faults=_listed(env.get("BAROGRAPH_SANDBOX_FAULTS")),
        )


def known_venues(names: tuple[str, ...]) -> tuple[str, ...]:
    """The venues' own names, listed from now on; raises `BadSetting` for one that no adapter knows."""
    try:
        return tuple(dict.fromkeys(adopt(name) for name in names))
    except ValueError as error:
        raise BadSetting(str(error)) from error


def _base_urls(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    prefix = "BAROGRAPH_URL_"
    named = {name: url for name, url in env.items() if name.startswith(prefix) and url}
    known_venues(tuple(name.removeprefix(prefix).lower() for name in named))
    return tuple(sorted((name.removeprefix(prefix).lower(), _url(name, url)) for name, url in named.items()))


def _url(name: str, text: str) -> str:
    """The URL as it is, or nothing if none is set: told before anybody is asked and before a lake is claimed."""
    with suppress(ValueError):  # no port, or brackets around no address
        url = urlsplit(text)
        if not text or (
            text.isprintable()
            and " " not in text
            and url.scheme in {"http", "https"}
            and url.hostname
            and url.port != 0
        ):
            return text
    raise BadSetting(f"{name} {text!r}: expected http://host or https://host")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _source(text: str) -> Source:
    if text not in SOURCES:
        raise BadSetting(f"BAROGRAPH_SOURCE {text!r}: unknown (expected {' or '.join(SOURCES)})")
    return cast(Source, text)


def _minutes(text: str) -> int:
    minutes = _whole("BAROGRAPH_SWEEP_MINUTES", text)
    if minutes < 1 or 60 % minutes:
        raise BadSetting(f"BAROGRAPH_SWEEP_MINUTES {minutes}: expected a divisor of 60")
    return minutes


def _book_every_s(text: str) -> float:
    """Whole milliseconds of which an hour has a whole number; venues send ten diffs a second at most."""
    with suppress(InvalidOperation):  # no number, or none to compare with
        every_ms = Decimal(text) * 1000
        if 100 <= every_ms <= HOUR_MS and not every_ms % 1 and not HOUR_MS % every_ms:
            return float(every_ms / 1000)
    raise BadSetting(f"BAROGRAPH_BOOK_EVERY_S {text!r}: expected seconds from 0.1 that divide 3600")


def _book_levels(text: str) -> int:
    levels = _whole("BAROGRAPH_BOOK_LEVELS", text)
    if not 1 <= levels <= MAX_BOOK_LEVELS:
        raise BadSetting(f"BAROGRAPH_BOOK_LEVELS {levels}: expected 1 to {MAX_BOOK_LEVELS}")
    return levels


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadSetting(f"{name} {text!r}: expected a whole number")
    return int(text)
