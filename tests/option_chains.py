"""Option chains for tests: quotes and terms as the lake has them, priced by QuantLib or by the simulated market."""

import csv
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import QuantLib as ql  # noqa: N813

from ingestion.estimators import ESTIMATORS
from ingestion.hours import hour_of
from ingestion.lake import Lake
from ingestion.records import Instrument, OptionQuote
from ingestion.sandbox.market import Market
from tests.toy_hour import to_table

OptionType = Literal["call", "put"]
Chain = list[tuple[OptionQuote, Instrument]]

YEAR_S = 365 * 86_400
SIDES: tuple[OptionType, OptionType] = ("call", "put")
VIX_2009 = Path(__file__).with_name("vix_2009.csv")
VIX_RATE = 0.0038


def black(forward: float, strike: float, total_vol: float, option_type: OptionType) -> float:
    side = ql.Option.Call if option_type == "call" else ql.Option.Put
    return float(ql.blackFormula(side, strike, forward, total_vol))


def contract(
    quote: OptionQuote, base: str, expiry: datetime, strike: float, option_type: OptionType, *, is_inverse: bool
) -> Instrument:
    quote_asset = "USD" if is_inverse else "USDC"
    return Instrument(
        venue=quote.venue, kind="option", symbol=quote.symbol, captured_ts=quote.captured_ts, base_asset=base,
        quote_asset=quote_asset, settle_asset=base if is_inverse else quote_asset, is_inverse=is_inverse,
        contract_size=1.0, amount_unit="base", strike_px=strike, option_type=option_type, expiry_ts=expiry,
        terms_source="listed",
    )  # fmt: skip


def priced(
    base: str,
    at: datetime,
    days: float,
    strikes: Sequence[float],
    vol: Callable[[float], float],
    forward: float = 100.0,
) -> Chain:
    """Calls and puts in dollars whose bid and ask are both worth `vol` of their log-moneyness."""
    expiry = at + timedelta(days=days)
    chain: Chain = []
    for strike in strikes:
        total_vol = vol(math.log(strike / forward)) * math.sqrt(days / 365)
        for option_type in SIDES:
            premium = black(forward, strike, total_vol, option_type)
            quote = OptionQuote(
                venue="planted", kind="option", symbol=f"{base}-{days:g}-{strike:.10g}-{option_type}", captured_ts=at,
                bid_px=premium, ask_px=premium, mark_px=premium, forward_px=forward,
            )  # fmt: skip
            chain.append((quote, contract(quote, base, expiry, strike, option_type, is_inverse=False)))
    return chain


def simulated(market: Market, venue: str, asset: str, at: datetime) -> Chain:
    """What the simulated venue quotes: premiums on its ticks, in coin where its options are inverse."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    chain = market.chain(venue, asset, at)
    found: Chain = []
    for n, listing in enumerate(chain.listings):
        assert listing.expiry is not None
        assert listing.strike is not None
        assert listing.option_type is not None
        quote = OptionQuote(
            venue=venue, kind="option", symbol=listing.symbol, captured_ts=at, bid_px=number(chain.bid[n]),
            ask_px=number(chain.ask[n]), mark_px=number(chain.mark[n]), forward_px=float(chain.forward[n]),
        )  # fmt: skip
        terms = contract(
            quote, asset, listing.expiry, float(listing.strike), listing.option_type, is_inverse=listing.is_inverse
        )
        found.append((quote, terms))
    return found


def vix_2009(at: datetime) -> Chain:
    """The S&P 500 options of the example in Cboe's VIX white paper of 2009, its appendix 1, at 0.38 % a year.

    Premiums are compounded to expiry, where ours are; the forward is that of the strike at which call and put are
    nearest. In-the-money tails of the printed table, which no rule of it reads, are left out.
    """
    lines = list(csv.DictReader(VIX_2009.read_text().splitlines()))
    chain: Chain = []
    for days in (9, 37):
        rows = [{name: float(value) for name, value in line.items()} for line in lines if int(line["days"]) == days]
        growth = math.exp(VIX_RATE * days / 365)
        gaps = [(row["call_bid_px"] + row["call_ask_px"] - row["put_bid_px"] - row["put_ask_px"]) / 2 for row in rows]
        nearest = int(np.argmin(np.abs(gaps)))
        forward = rows[nearest]["strike_px"] + growth * gaps[nearest]
        for row in rows:
            for option_type in SIDES:
                symbol = f"SPX-{days}-{row['strike_px']:g}-{option_type}"
                quote = OptionQuote(
                    venue="cboe", kind="option", symbol=symbol, captured_ts=at,
                    bid_px=row[f"{option_type}_bid_px"] * growth, ask_px=row[f"{option_type}_ask_px"] * growth,
                    forward_px=forward,
                )  # fmt: skip
                expiry = at + timedelta(days=days)
                chain.append((quote, contract(quote, "SPX", expiry, row["strike_px"], option_type, is_inverse=False)))
    return chain


def keep(lake: Lake, venue: str, chain: Chain) -> None:
    """The chain in the lake, and all that is estimated from it."""
    [hour] = {hour_of(quote.captured_ts) for quote, _ in chain}
    lake.write("option_quotes", venue, hour, to_table(OptionQuote, hour, [quote for quote, _ in chain]))
    lake.write("instruments", venue, hour, to_table(Instrument, hour, [terms for _, terms in chain]))
    for estimator in ESTIMATORS:
        if set(estimator.rests_on) <= {"option_quotes", "instruments", "implied_vols"}:
            rests_on: list[Any] = [lake.read(dataset, venue, hour) for dataset in estimator.rests_on]
            lake.write(estimator.name, venue, hour, estimator.estimate(*rests_on))
