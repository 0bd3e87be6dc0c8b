"""Rows of Binance's public archive: https://github.com/binance/binance-public-data

Nobody's capture clock is told. A row is taken as captured at the first instant by which the archive says that it was
so: a trade when it happened, a bar at its end, a quote when the stream told it.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

from ingestion.imports.layouts import TICKERS, Kinds, Layout, read_lines
from ingestion.imports.parts import Part, at_micros
from ingestion.imports.vision_files import MARKETS, VisionFile
from ingestion.imports.vision_layouts import (
    AggregateLine,
    BarLine,
    BestLine,
    CoinTradeLine,
    FundingLine,
    IndexLine,
    LiquidationLine,
    MetricsLine,
    NamedLiquidationLine,
    SummaryLine,
    TradeLine,
    end_of_hour,
    micros,
    written,
)
from ingestion.records import (
    Candle,
    FundingRate,
    FutureTicker,
    IndexPrice,
    Liquidation,
    OpenInterest,
    OptionQuote,
    PerpTicker,
    Record,
    Trade,
    VolatilityIndex,
)
from ingestion.venues.base import Refused, Reject, Venue
from ingestion.venues.binance import INTERVALS_S
from ingestion.venues.wire import Seen, above_zero, given, touch


def read_part(venue: Venue, part: Part) -> Iterator[Record | Reject]:
    """The rows of a part of such a file; raises `Refused` for one of another venue."""
    file = VisionFile.named(PurePath(part.path))
    if file.venue != venue.name:
        raise Refused("venue", f"{part.path}: of {file.venue} (expected {venue.name})")
    reader = _Reader(file, Kinds(venue, MARKETS[file.market][1]))
    return read_lines(_layout_of(file, part), part, partial(_READ[file.kind], reader))


def _layout_of(file: VisionFile, part: Part) -> Layout:
    """Of several layouts of its kind, the one that its file was found to have."""
    wanted = part.told.get("columns")
    return next((each for each in file.layouts if wanted == str(len(each.columns))), file.layouts[0])


class _Reader:
    """Lines of one file as records."""

    def __init__(self, file: VisionFile, kinds: Kinds) -> None:
        self._file, self._kinds = file, kinds

    def _seen(self, captured: int, event: int | None, symbol: str | None = None) -> Seen:
        if symbol is not None and symbol != self._file.symbol:
            raise Refused("contradiction", f"symbol {symbol} in a file of {self._file.symbol}")
        return self._at(self._file.symbol, captured, event)

    def _at(self, symbol: str, captured: int, event: int | None) -> Seen:
        captured_ts = at_micros(captured)
        return {
            "venue": self._kinds.venue.name,
            "symbol": symbol,
            "kind": self._kinds.of(symbol, captured_ts),
            "captured_ts": captured_ts,
            "event_ts": None if event is None else at_micros(event),
        }

    def trade(self, line: TradeLine | CoinTradeLine) -> list[Record]:
        at = micros(line.time)
        return [
            Trade(
                **self._seen(at, at),
                trade_id=str(line.id),
                px=line.price,
                qty=line.qty,
                side="sell" if line.is_buyer_maker else "buy",  # the buyer rested, so the seller took
            )
        ]

    def aggregate(self, line: AggregateLine) -> list[Record]:
        at = micros(line.transact_time)
        return [
            Trade(
                **self._seen(at, at),
                trade_id=str(line.agg_trade_id),
                px=line.price,
                qty=line.quantity,
                side="sell" if line.is_buyer_maker else "buy",
                is_aggregate=True,
            )
        ]

    def candle(self, line: BarLine) -> list[Record]:
        return [
            Candle(
                **self._seen(self._end(line), micros(line.open_time)),
                interval_s=self._interval_s,
                open_px=line.open,
                high_px=line.high,
                low_px=line.low,
                close_px=line.close,
                volume_base=line.quote_volume if self._file.market == "cm" else line.volume,
            )
        ]

    def mark(self, line: BarLine) -> list[Record]:
        self._end(line)
        closed = micros(line.close_time)
        seen = self._seen(closed, closed)
        ticker = FutureTicker if seen["kind"] == "future" else PerpTicker
        return [ticker(**seen, mark_px=line.close)]

    def index(self, line: BarLine) -> list[Record]:
        """The index of COIN-M has the pair's name, BTCUSD; that of USD-M the perpetual's."""
        self._end(line)
        closed = at_micros(micros(line.close_time))
        perpetual = f"{self._file.symbol}_PERP" if self._file.market == "cm" else self._file.symbol
        terms = self._kinds.venue.terms(perpetual, "perp", closed)
        return [
            IndexPrice(
                venue=terms.venue,
                symbol=self._file.symbol,
                kind="spot",
                captured_ts=closed,
                event_ts=closed,
                base_asset=terms.base_asset,
                quote_asset=terms.quote_asset,
                index_px=line.close,
            )
        ]

    @property
    def _interval_s(self) -> int:
        return INTERVALS_S[self._file.interval or ""]

    def _end(self, line: BarLine) -> int:
        """When the bar was whole; `Refused` where it does not last as long as its file says."""
        start, end = micros(line.open_time), micros(line.close_time)
        unit_us = micros(line.close_time + 1) - end
        if end + unit_us - start != self._interval_s * 1_000_000:
            raise Refused("interval", f"a bar of {line.open_time} to {line.close_time} is no {self._file.interval}")
        return end + unit_us

    def best(self, line: BestLine) -> list[Record]:
        seen = self._seen(micros(line.event_time), micros(line.transaction_time))
        bid_px, bid_qty = touch(line.best_bid_price, line.best_bid_qty)
        ask_px, ask_qty = touch(line.best_ask_price, line.best_ask_qty)
        return [TICKERS[seen["kind"]](**seen, bid_px=bid_px, bid_qty=bid_qty, ask_px=ask_px, ask_qty=ask_qty)]

    def metrics(self, line: MetricsLine) -> list[Record]:
        at = written(line.create_time)
        return [OpenInterest(**self._seen(at, at, line.symbol), open_interest_qty=line.sum_open_interest)]

    def funding(self, line: FundingLine) -> list[Record]:
        at = micros(line.calc_time)
        interval_s = line.funding_interval_hours * 3600
        return [FundingRate(**self._seen(at, at), funding_rate=line.last_funding_rate, funding_interval_s=interval_s)]

    def liquidation(self, line: LiquidationLine | NamedLiquidationLine) -> list[Record]:
        symbol = line.symbol if isinstance(line, NamedLiquidationLine) else None
        at = micros(line.time)
        if not line.accumulated_fill_quantity or not line.average_price:
            raise Refused("not_filled", f"an order {line.order_status} that nothing of was filled")
        return [
            Liquidation(
                **self._seen(at, at, symbol),
                side="buy" if line.side == "BUY" else "sell",
                px=line.average_price,
                px_source="fill",
                qty=line.accumulated_fill_quantity,
                is_sampled=True,  # as the stream that it is made of, which tells the largest of a second
            )
        ]

    def volatility(self, line: IndexLine) -> list[Record]:
        base = line.base_asset.removesuffix("BVOL")
        if base == line.base_asset:
            raise Refused("unknown_symbol", f"base asset {line.base_asset} (expected BTCBVOL)")
        at = micros(line.calc_time)
        return [
            VolatilityIndex(**self._seen(at, at, line.symbol), base_asset=base, close_iv_ann=line.index_value / 100)
        ]

    def summary(self, line: SummaryLine) -> list[Record]:
        if line.underlying != self._file.symbol:
            raise Refused("contradiction", f"underlying {line.underlying} in a file of {self._file.symbol}")
        seen = self._at(line.symbol, end_of_hour(line.date, line.hour), None)
        bid_px, bid_qty = touch(line.best_bid_price, line.best_bid_qty)
        ask_px, ask_qty = touch(line.best_ask_price, line.best_ask_qty)
        quote = OptionQuote(
            **seen,
            bid_px=bid_px,
            bid_qty=bid_qty,
            ask_px=ask_px,
            ask_qty=ask_qty,
            mark_px=above_zero(line.mark_price),
            last_px=above_zero(line.close),
            bid_iv_ann=_vol(line.best_buy_iv),
            mark_iv_ann=_vol(line.mark_iv),
            ask_iv_ann=_vol(line.best_sell_iv),
            delta=given(line.delta),
            gamma=given(line.gamma),
            vega=given(line.vega),
            theta=given(line.theta),
        )
        interest = given(line.openinterest_contracts)
        return [quote] if interest is None else [quote, OpenInterest(**seen, open_interest_qty=interest)]


def _vol(value: float | str) -> float | None:
    """Binance writes 0 or -1 where there is none."""
    return value if isinstance(value, float) and value > 0 else None


_READ: Mapping[str, Callable[[_Reader, Any], list[Record]]] = {
    "trades": _Reader.trade,
    "aggTrades": _Reader.aggregate,
    "klines": _Reader.candle,
    "markPriceKlines": _Reader.mark,
    "indexPriceKlines": _Reader.index,
    "bookTicker": _Reader.best,
    "metrics": _Reader.metrics,
    "fundingRate": _Reader.funding,
    "liquidationSnapshot": _Reader.liquidation,
    "BVOLIndex": _Reader.volatility,
    "EOHSummary": _Reader.summary,
}
