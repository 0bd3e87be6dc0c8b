"""Bars: open, high, low and close of the mid by five-second steps, volume of the instrument's trades."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ingestion.sandbox.listings import Listing
from ingestion.sandbox.market import Market
from ingestion.sandbox.memory import Memory
from ingestion.sandbox.path import FIRST_DAY, STEP_S, milliseconds
from ingestion.sandbox.tape import base_and_quote

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, labelled by its start; the running bar holds what happened so far. `*_qty` is in the venue's unit."""

    open_ms: int
    interval_ms: int
    open_px: float
    high_px: float
    low_px: float
    close_px: float
    volume_qty: float
    volume_base: float
    volume_quote: float
    count: int
    taker_buy_qty: float
    taker_buy_base: float
    taker_buy_quote: float


class Candles:
    """Bars of one market, remembered by the day."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._days: Memory[tuple[str, str, str, int, int], list[Bar]] = Memory(256)

    def bars(
        self, listing: Listing, interval_ms: int, start_ms: int, end_ms: int, at: datetime, limit: int
    ) -> list[Bar]:
        """At most `limit` bars that open in [start, end] and not after now, oldest first."""
        now_ms = milliseconds(at)
        first = -(-max(start_ms, FIRST_DAY * DAY_MS) // interval_ms) * interval_ms
        found: list[Bar] = []
        for day in range(first // DAY_MS, min(end_ms, now_ms) // DAY_MS + 1):
            day_bars = self._day(listing, interval_ms, day, now_ms)
            found += [bar for bar in day_bars if first <= bar.open_ms <= end_ms]
            if len(found) >= limit:
                break
        return found[:limit]

    def _day(self, listing: Listing, interval_ms: int, day: int, now_ms: int) -> list[Bar]:
        if (day + 1) * DAY_MS > now_ms:
            return self._bars_of(listing, interval_ms, day, now_ms)
        key = (listing.venue, listing.kind, listing.symbol, interval_ms, day)
        return self._days.get(key, lambda: self._bars_of(listing, interval_ms, day, now_ms))

    def _bars_of(self, listing: Listing, interval_ms: int, day: int, now_ms: int) -> list[Bar]:
        steps = interval_ms // (STEP_S * 1_000)
        mids = self._market.mids(listing, day)
        until = min((now_ms - day * DAY_MS) // (STEP_S * 1_000) + 1, len(mids))
        starts = np.arange(0, until, steps)
        px = np.round(mids[:until], listing.px_dp)
        high, low = np.maximum.reduceat(px, starts), np.minimum.reduceat(px, starts)
        close = px[np.minimum(starts + steps, until) - 1]

        is_open = (day + 1) * DAY_MS > now_ms  # then its trades are asked for too, and remembered
        whole = self._market.tape(listing, day) if is_open else self._market.draw_tape(listing, day)
        tape = whole.between(day * DAY_MS, now_ms)
        bar = (tape.at_ms - day * DAY_MS) // interval_ms
        base, quote = base_and_quote(listing, tape.px, tape.qty)
        count = len(starts)
        sizes = (tape.qty, base, quote)
        volume_qty, volume_base, volume_quote = (np.bincount(bar, size, count) for size in sizes)
        bought_qty, bought_base, bought_quote = (np.bincount(bar, size * tape.is_buy, count) for size in sizes)
        trades = np.bincount(bar, minlength=count)
        return [
            Bar(
                open_ms=day * DAY_MS + n * interval_ms,
                interval_ms=interval_ms,
                open_px=float(px[start]),
                high_px=float(high[n]),
                low_px=float(low[n]),
                close_px=float(close[n]),
                volume_qty=float(volume_qty[n]),
                volume_base=float(volume_base[n]),
                volume_quote=float(volume_quote[n]),
                count=int(trades[n]),
                taker_buy_qty=float(bought_qty[n]),
                taker_buy_base=float(bought_base[n]),
                taker_buy_quote=float(bought_quote[n]),
            )
            for n, start in enumerate(starts)
        ]
