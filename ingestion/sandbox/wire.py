"""What the venues' wire modules share: what is asked, how it is answered or turned away, and decimals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ingestion.sandbox.books import Floats
from ingestion.sandbox.candles import Candles
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds


@dataclass(frozen=True, slots=True)
class Ask:
    """One question at one instant: a GET, or a POST of `body`."""

    market: Market
    candles: Candles
    at: datetime
    query: Mapping[str, str]
    body: bytes = b""

    @property
    def now_ms(self) -> int:
        return milliseconds(self.at)


class TurnedAway(Exception):
    """The venue's own error: HTTP status and body."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers one path, and what it costs in the venue's request weight."""

    venue: str
    answer: Callable[[Ask], object]
    weight: int = 1


def whole(ask: Ask, name: str, default: int, turn_away: Callable[[str], TurnedAway]) -> int:
    """A whole number of the query; `turn_away(name)` where it is none."""
    text = ask.query.get(name)
    if text is None or text == "":
        return default
    if not text.removeprefix("-").isdigit() or len(text) > 18:
        raise turn_away(name)
    return int(text)


def levels(px: Floats, qty: Floats, px_dp: int, qty_dp: int, limit: int) -> list[list[str]]:
    """One side of a book as pairs of decimal strings."""
    pairs = zip(px[:limit].tolist(), qty[:limit].tolist(), strict=True)
    return [[f"{p:.{px_dp}f}", f"{q:.{qty_dp}f}"] for p, q in pairs]


def plain(value: float, dp: int = 10) -> str:
    """A decimal string without trailing zeros, as OKX and Bybit print; `0` for a number that is not there."""
    if value != value:
        return "0"
    dp = min(dp, 15 - len(str(int(abs(value)))))  # more digits would be noise of the binary float
    text = f"{value:.{dp}f}".rstrip("0").rstrip(".") if dp > 0 else f"{value:.0f}"
    return "0" if text in ("-0", "") else text
