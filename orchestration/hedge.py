"""What a book of positions is worth at the last published hour, what moves it, and its cheapest hedge."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console

from ingestion.storage import Store
from orchestration.answers import as_table
from orchestration.hedge_costs import Hedge, best_hedges
from orchestration.hedge_market import Market, read_market
from orchestration.margin_calls import NoMarginCall, margin_call_px
from orchestration.position_file import read_positions
from orchestration.positions import SHOCKS, Position, Unmeasurable, Worth, worth_of
from orchestration.published import reading

POSITION_COLUMNS = (
    *("line", "venue", "kind", "symbol", "quantity", "unit", "entry", "price", "age"),
    *("value", "pnl", "delta coin", "vega", "theta", "carry/day", "margin call"),
)
TOTAL_COLUMNS = (
    *("underlying", "positions", "not measured", "value", "pnl", "delta coin", "gamma coin/USD"),
    *("vega", "theta", "carry/day", "carry lacks"),
)
SHOCK_COLUMNS = ("", "", *(f"{shock:+.0%}" for shock in SHOCKS))
HEDGE_COLUMNS = (
    *("", "venue", "kind", "symbol", "quantity", "unit", "notional", "slippage", "fee", "carry", "cost"),
    *("bps", "residual coin", "note"),
)


class PositionReport(msgspec.Struct, frozen=True):
    """One line of the file. `worth` is null with a reason, and then counts in no total."""

    line: int
    venue: str
    kind: str
    symbol: str
    underlying: str
    quantity: float
    amount_unit: str
    entry_px: float
    worth: Worth | None
    reason: str | None
    px_age_s: float | None
    carry_usd_per_day: float | None  # positive: earned; of options theta is apart
    margin_call_px: float | None
    margin_call_move_frac: float | None  # of the price from now; negative: a fall
    margin_reason: str | None


class Total(msgspec.Struct, frozen=True):
    """All positions of one underlying that could be measured, and the cheapest orders against their delta."""

    underlying: str
    positions_count: int
    unmeasured_count: int  # in no figure of this row
    value_usd: float | None
    pnl_usd: float | None
    delta_base: float | None
    gamma_base_per_usd: float | None
    vega_usd: float | None
    theta_usd: float | None
    carry_usd_per_day: float | None
    carry_lacking_count: int  # measured positions whose carry is not known
    shocks_usd: dict[str, float] | None
    hedges: list[Hedge]
    left_out: dict[str, int]  # instruments that are no hedge, by reason


class HedgeReport(msgspec.Struct, frozen=True):
    """A file of positions against one published version."""

    utc_hour: datetime
    as_of: datetime
    leverage: float
    horizon_days: float
    positions: list[PositionReport]
    totals: list[Total]

    def as_json(self) -> str:
        return msgspec.json.encode(self).decode()

    def show(self, console: Console) -> None:
        """Print it for a person."""
        ages = [each.px_age_s for each in self.positions if each.px_age_s is not None]
        told = f"prices {_age(min(ages))} to {_age(max(ages))} old" if ages else "no prices"
        console.print(
            f"last published hour {self.utc_hour:%Y-%m-%dT%H:00Z}, {told}; isolated margin at {self.leverage:g}x, "
            f"hedges held {self.horizon_days:g} days; USD unless said otherwise",
            highlight=False,
        )
        console.print(as_table(POSITION_COLUMNS, [_position_row(each) for each in self.positions], "Positions"))
        for each in self.positions:
            if each.reason or each.margin_reason:
                told = each.reason or f"margin call: {each.margin_reason}"
                console.print(f"  line {each.line} {each.symbol}: {told}", highlight=False, markup=False)
        console.print(as_table(TOTAL_COLUMNS, [_total_row(each) for each in self.totals], "Totals"))
        ladder = [rung for each in self.positions if each.worth for rung in _ladder(each, each.worth)]
        ladder += [
            ("total", each.underlying, *_rounded(tuple(each.shocks_usd.values())))
            for each in self.totals
            if each.shocks_usd
        ]
        console.print(as_table(SHOCK_COLUMNS, ladder, "P&L of a shock now"))
        for total in self.totals:
            self._show_hedges(total, console)

    def _show_hedges(self, total: Total, console: Console) -> None:
        rows: list[tuple[object, ...]] = [
            (
                *(index, each.venue, each.kind, each.symbol, f"{each.side} {each.quantity:.10g}", each.amount_unit),
                *_rounded((each.notional_usd, each.slippage_usd, each.fee_usd, each.carry_usd, each.cost_usd)),
                *(f"{each.cost_bps:.2f}", each.residual_delta_base, _note(each)),
            )
            for index, each in enumerate(total.hedges, 1)
        ]
        delta = "not measurable" if total.delta_base is None else f"{total.delta_base:.6g}"
        if rows:
            console.print(as_table(HEDGE_COLUMNS, rows, f"Cheapest hedges of {delta} {total.underlying}"))
        else:
            console.print(f"no hedge of {delta} {total.underlying}", highlight=False)
        for reason, count in total.left_out.items():
            console.print(f"  left out: {count} instruments, {reason}", highlight=False, markup=False)


def read_hedge(store: Store, path: Path, *, leverage: float, horizon_days: float, now: datetime) -> HedgeReport:
    """Hold a file of positions against the last published hour. Raises NothingPublished, StorageError, BadPosition."""
    with reading(store) as connection:
        market = read_market(connection)
    return hold(read_positions(path, market), market, leverage=leverage, horizon_days=horizon_days, now=now)


def hold(
    positions: list[Position], market: Market, *, leverage: float, horizon_days: float, now: datetime
) -> HedgeReport:
    """Value positions, sum them per underlying, and rank the hedges of each sum."""
    reports = [_report(position, market, leverage, now) for position in positions]
    totals = [
        _total(name, [each for each in reports if each.underlying == name], market, horizon_days)
        for name in dict.fromkeys(each.underlying for each in reports)
    ]
    return HedgeReport(market.utc_hour, now, leverage, horizon_days, reports, totals)


def _report(position: Position, market: Market, leverage: float, now: datetime) -> PositionReport:
    terms = position.terms
    worth, reason, call_px, margin_reason = None, None, None, None
    try:
        worth = worth_of(position, market.prices.get(terms.key), market.usd_rates.get(terms.value_asset))
    except Unmeasurable as error:
        reason = str(error)
    try:
        call_px = margin_call_px(position, market.tiers, leverage)
    except NoMarginCall as error:
        margin_reason = str(error)
    carry = market.carries.get(terms.key)
    move = call_px / worth.px - 1 if worth and call_px is not None else None
    if move is not None and move * position.quantity >= 0:
        margin_reason = "the price is beyond it already"
    return PositionReport(
        line=position.line,
        venue=terms.venue,
        kind=terms.kind,
        symbol=terms.symbol,
        underlying=terms.underlying,
        quantity=position.quantity,
        amount_unit=terms.amount_unit,
        entry_px=position.entry_px,
        worth=worth,
        reason=reason,
        px_age_s=(now - worth.captured_ts).total_seconds() if worth else None,
        carry_usd_per_day=worth.value_usd * carry + 0.0 if worth and carry is not None else None,
        margin_call_px=call_px,
        margin_call_move_frac=move,
        margin_reason=margin_reason,
    )


def _total(underlying: str, reports: list[PositionReport], market: Market, horizon_days: float) -> Total:
    worths = [each.worth for each in reports if each.worth]
    carries = [each.carry_usd_per_day for each in reports if each.carry_usd_per_day is not None]

    def over(figure: Callable[[Worth], float]) -> float | None:
        return sum(map(figure, worths)) if worths else None

    rungs = enumerate(SHOCKS) if worths else ()
    shocks = {f"{shock:+g}": sum(worth.shocks[index].pnl_usd for worth in worths) for index, shock in rungs}
    delta = over(lambda worth: worth.delta_base)
    hedges, left_out = best_hedges(delta, market.candidates(underlying), horizon_days) if delta else ([], {})
    return Total(
        underlying=underlying,
        positions_count=len(reports),
        unmeasured_count=len(reports) - len(worths),
        value_usd=over(lambda worth: worth.value_usd),
        pnl_usd=over(lambda worth: worth.pnl_usd),
        delta_base=delta,
        gamma_base_per_usd=over(lambda worth: worth.gamma_base_per_usd),
        vega_usd=over(lambda worth: worth.vega_usd),
        theta_usd=over(lambda worth: worth.theta_usd),
        carry_usd_per_day=sum(carries) if carries else None,
        carry_lacking_count=len(worths) - len(carries),
        shocks_usd=shocks or None,
        hedges=hedges,
        left_out=left_out,
    )


def _position_row(each: PositionReport) -> tuple[object, ...]:
    named = (each.line, each.venue, each.kind, each.symbol, f"{each.quantity:.10g}", each.amount_unit, each.entry_px)
    worth, move = each.worth, each.margin_call_move_frac
    if worth is None:
        return (*named, *(None,) * 9)
    sensitive = (worth.delta_base, *_rounded((worth.vega_usd, worth.theta_usd, each.carry_usd_per_day)))
    call = None if move is None else f"{move:+.2%}"
    return (*named, worth.px, _age(each.px_age_s or 0.0), *_rounded((worth.value_usd, worth.pnl_usd)), *sensitive, call)


def _total_row(each: Total) -> tuple[object, ...]:
    counts = (each.underlying, each.positions_count, each.unmeasured_count)
    worth = (*_rounded((each.value_usd, each.pnl_usd)), each.delta_base, each.gamma_base_per_usd)
    return (
        *counts,
        *worth,
        *_rounded((each.vega_usd, each.theta_usd, each.carry_usd_per_day)),
        each.carry_lacking_count,
    )


def _ladder(each: PositionReport, worth: Worth) -> list[tuple[object, ...]]:
    """Dollars, and below them the coin of a contract that settles in it."""
    rows = [(f"line {each.line}", each.symbol, *_rounded(tuple(shock.pnl_usd for shock in worth.shocks)))]
    if worth.pnl_base is not None:
        rows.append(("", f"in {each.underlying}", *(shock.pnl_base for shock in worth.shocks)))
    return rows


def _rounded(figures: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(f"{each:,.2f}" if isinstance(each, float) else each for each in figures)


def _note(hedge: Hedge) -> str | None:
    return "; ".join(filter(None, ("" if hedge.is_full else "in part: the largest size known", hedge.note))) or None


def _age(seconds: float) -> str:
    hours, minutes = divmod(int(seconds // 60), 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min" if hours else f"{int(seconds)} s"
    return f"{hours // 24} d {hours % 24} h"
