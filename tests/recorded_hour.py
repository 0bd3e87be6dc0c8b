"""One recorded hour by hand: what each reply of 2024-01-14 20:01 UTC says, in plain arithmetic.

Written over the JSON of each reply, sums in Decimal and volatilities by bisection; it shares no code with the product.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import fmean, median

from tests.replayed import Row, recorded_replies

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
YEAR_S = 365 * 86_400
ZERO = Decimal(0)


def instant(reply: Row) -> datetime:
    return datetime.fromisoformat(reply["recorded_at"].replace("Z", "+00:00")).astimezone(UTC)


def only_reply(venue: str, path: str, query: str) -> Row:
    """The one reply of this hour to this question."""
    [found] = [
        reply
        for reply in recorded_replies(f"http/{venue}.jsonl.zst")
        if reply["path"].endswith(path) and reply["query"] == query and instant_is_of_the_hour(reply)
    ]
    return found


def instant_is_of_the_hour(reply: Row) -> bool:
    return bool(reply["recorded_at"]) and reply["recorded_at"].startswith("2024-01-14T20:")


def expiry_of(text: str) -> datetime:
    """`26JAN24` or `240126`: 08:00 UTC of that day at every venue here."""
    if text.isdigit():
        return datetime(2000 + int(text[:2]), int(text[2:4]), int(text[4:]), 8, tzinfo=UTC)
    return datetime(2000 + int(text[-2:]), MONTHS.index(text[-5:-2]) + 1, int(text[:-5]), 8, tzinfo=UTC)


class Option:
    """One contract by its name: `BTC-26JAN24-50000-C` or `BTC-USD-240126-50000-C`."""

    def __init__(self, name: str, oi: Decimal = ZERO, volume: Decimal | None = None) -> None:
        parts = name.split("-")
        self.underlying = parts[0]
        self.expiry = expiry_of(parts[-3])
        self.strike = Decimal(parts[-2])
        self.is_call = parts[-1] == "C"
        self.oi, self.volume = oi, volume


# Positioning.


def pain(strike: Decimal, options: list[Option]) -> Decimal:
    """What holders of these options are paid if the expiry settles at this strike."""
    return sum((max(ZERO, strike - o.strike if o.is_call else o.strike - strike) * o.oi for o in options), ZERO)


def positioning(options: list[Option], *, is_total: bool) -> dict[str, float | None]:
    def side(field: str, *, is_call: bool) -> Decimal | None:
        values = [getattr(o, field) for o in options if o.is_call is is_call]
        return None if None in values or not values else sum(values, ZERO)

    def ratio(up: Decimal | None, down: Decimal | None) -> float | None:
        return None if up is None or not down else float(up / down)

    def lean(call: Decimal | None, put: Decimal | None) -> float | None:
        return None if call is None or put is None or not call + put else float((call - put) / (call + put))

    call, put = side("oi", is_call=True), side("oi", is_call=False)
    call_volume, put_volume = side("volume", is_call=True), side("volume", is_call=False)
    strikes = sorted({o.strike for o in options})
    is_open = not is_total and any(o.oi for o in options)
    return {
        "contracts_count": len(options),
        "call_oi_base": None if call is None else float(call),
        "put_oi_base": None if put is None else float(put),
        "put_call_oi_frac": ratio(put, call),
        "oi_imbalance_frac": lean(call, put),
        "call_volume_base": None if call_volume is None else float(call_volume),
        "put_volume_base": None if put_volume is None else float(put_volume),
        "put_call_volume_frac": ratio(put_volume, call_volume),
        "volume_imbalance_frac": lean(call_volume, put_volume),
        "max_pain_px": float(min(strikes, key=lambda strike: pain(strike, options))) if is_open else None,
    }


# Basis.


def basis_of(derivative: Decimal, reference: Decimal, days: Decimal | None) -> dict[str, float | None]:
    ratio = derivative / reference
    return {
        "derivative_px": float(derivative),
        "reference_px": float(reference),
        "basis_bps": float((ratio - 1) * 10_000),
        "days_to_expiry": None if days is None else float(days),
        "basis_simple_ann": None if days is None else float((ratio - 1) * 365 / days),
        "basis_log_ann": None if days is None else float(ratio.ln() * 365 / days),
    }


def days_between(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start).total_seconds()) / 86_400


def mid_of(row: Row) -> Decimal | None:
    """Mid of a Bybit ticker; none where a side is absent, or the two are crossed or locked."""
    if not row["bid1Price"] or not row["ask1Price"]:
        return None
    bid, ask = Decimal(row["bid1Price"]), Decimal(row["ask1Price"])
    return (bid + ask) / 2 if 0 < bid < ask else None


def quoted_in(symbol: str) -> tuple[str, str]:
    """`SOLUSDT` is SOL in USDT; `SOLPERP` and `BTC-26JAN24` are in USDC; `SOLUSD` is inverse, in USD."""
    if "-" in symbol:
        return symbol.partition("-")[0], "USDC"
    if symbol.endswith("PERP"):
        return symbol.removesuffix("PERP"), "USDC"
    for quote in ("USDT", "USDC"):
        if symbol.endswith(quote):
            return symbol.removesuffix(quote), quote
    base, _, _ = symbol.partition("USD")  # BTCUSD, BTCUSDH24
    return base, "USD"


def tickers(category: str) -> tuple[datetime, dict[str, Row]]:
    reply = only_reply("bybit", "/v5/market/tickers", f"category={category}")
    return instant(reply), {row["symbol"]: row for row in reply["body"]["result"]["list"]}


# Volatility.


def black(forward: float, strike: float, total_vol: float, *, is_call: bool) -> float:
    d1 = math.log(forward / strike) / total_vol + total_vol / 2
    sign = 1 if is_call else -1
    up, down = (0.5 * math.erfc(-sign * d / math.sqrt(2)) for d in (d1, d1 - total_vol))
    return sign * (forward * up - strike * down)


def bisected(premium: float, forward: float, strike: float, *, is_call: bool) -> float | None:
    """Total volatility by halving until neighbours; none outside the bounds of no arbitrage."""
    intrinsic = max(0.0, forward - strike if is_call else strike - forward)
    if not intrinsic < premium < (forward if is_call else strike):
        return None
    low, high = 1e-9, 50.0
    while low < (middle := (low + high) / 2) < high:
        if black(forward, strike, middle, is_call=is_call) < premium:
            low = middle
        else:
            high = middle
    return high


Vol = tuple[Option, float, float]  # the option, its forward, its volatility a year


def years_to(expiry: datetime, at: datetime) -> float:
    return (expiry - at).total_seconds() / YEAR_S


def deribit_vols() -> tuple[datetime, list[Vol]]:
    reply = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=option")
    at, vols = instant(reply), []
    for row in reply["body"]["result"]:
        oi = Decimal(repr(row["open_interest"]))
        option, forward = Option(row["instrument_name"], oi), row["underlying_price"]
        if row["mark_price"]:
            total = bisected(row["mark_price"] * forward, forward, float(option.strike), is_call=option.is_call)
            if total is not None:
                vols.append((option, forward, total / math.sqrt(years_to(option.expiry, at))))
    return at, vols


def gamma_exposure(vol: Vol, open_interest: float, at: datetime) -> float:
    """Dollars of delta that these coins of an option shift on one percent of its forward."""
    option, forward, sigma = vol
    total_vol = sigma * math.sqrt(years_to(option.expiry, at))
    d1 = math.log(forward / float(option.strike)) / total_vol + total_vol / 2
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    return density / (forward * total_vol) * open_interest * forward * forward / 100


def okx_vols() -> tuple[datetime, list[Vol]]:
    reply = only_reply("okx", "opt-summary", "uly=BTC-USD")
    rows = reply["body"]["data"]
    return instant(reply), [
        (Option(row["instId"]), float(row["fwdPx"]), float(row["markVol"])) for row in rows if float(row["markVol"]) > 0
    ]


def okx_greeks() -> dict[str, list[tuple[float, float]]]:
    """Delta, gamma, vega and theta of each option, from spot and an interest rate, beside those that OKX prints.

    Spot is the nearest expiry's forward, the rate what carries it to the option's own; theta is of a day at most.
    """
    reply = only_reply("okx", "opt-summary", "uly=BTC-USD")
    at, rows = instant(reply), [row for row in reply["body"]["data"] if float(row["markVol"]) > 0]
    expiries = {row["instId"]: Option(row["instId"]) for row in rows}
    first = min(option.expiry for option in expiries.values())
    spot = median(float(row["fwdPx"]) for row in rows if expiries[row["instId"]].expiry == first)
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        option, forward, sigma = expiries[row["instId"]], float(row["fwdPx"]), float(row["markVol"])
        sign, strike, years = 1 if option.is_call else -1, float(option.strike), years_to(option.expiry, at)
        rate, root = math.log(forward / spot) / years, math.sqrt(years)
        d1 = (math.log(spot / strike) + (rate + sigma**2 / 2) * years) / (sigma * root)
        density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        up, down = (0.5 * math.erfc(-sign * d / math.sqrt(2)) for d in (d1, d1 - sigma * root))
        owed = sign * rate * strike * math.exp(-rate * years) * down
        ours = {
            "delta": sign * up,
            "gamma": density / (spot * sigma * root),
            "vega": spot * density * root / 100,
            "theta": (-spot * density * sigma / (2 * root) - owed) / 365 * min(1.0, years * 365),
        }
        for name, value in ours.items():
            pairs[name].append((value, float(row[f"{name}BS"])))
    return pairs


def at_the_money(vols: Iterable[Vol]) -> float | None:
    """At the expiry's median forward: call and put averaged, linear in log-strike between the two strikes around."""
    own = list(vols)
    forward = median(forward for _, forward, _ in own)
    by_strike: dict[float, list[float]] = defaultdict(list)
    for option, _, vol in own:
        by_strike[float(option.strike)].append(vol)
    below = [strike for strike in by_strike if strike <= forward]
    above = [strike for strike in by_strike if strike >= forward]
    if not below or not above:
        return None
    near, far = max(below), min(above)
    low, high = fmean(by_strike[near]), fmean(by_strike[far])
    return low if near == far else low + (high - low) * math.log(forward / near) / math.log(far / near)


def constant_maturities(at: datetime, vols: list[Vol]) -> dict[int, float | None]:
    """7, 30, 60 and 90 days: total variance linear in time between the expiries around; none outside them."""
    by_expiry: dict[datetime, list[Vol]] = defaultdict(list)
    for vol in vols:
        by_expiry[vol[0].expiry].append(vol)
    curve = []
    for expiry, own in sorted(by_expiry.items()):
        atm = at_the_money(own)
        if expiry > at and atm is not None:
            curve.append(((expiry - at).total_seconds() / 86_400, atm))
    found: dict[int, float | None] = {}
    for tenor in (7, 30, 60, 90):
        near = max((point for point in curve if point[0] <= tenor), default=None)
        far = min((point for point in curve if point[0] >= tenor), default=None)
        if near is None or far is None:
            found[tenor] = None
            continue
        (t1, vol1), (t2, vol2) = near, far
        variance = vol1**2 * t1 if t1 == t2 else vol1**2 * t1 + (vol2**2 * t2 - vol1**2 * t1) * (tenor - t1) / (t2 - t1)
        found[tenor] = math.sqrt(variance / tenor)
    return found
