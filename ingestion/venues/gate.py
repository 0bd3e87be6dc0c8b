"""Gate API v4: spot, perpetuals and dated futures.

https://www.gate.com/docs/developers/apiv4/en/
Sizes of futures count contracts; perpetuals are settled in USDT or, those priced in USD, in bitcoin.
"""

from ingestion.venues import gate_contracts as contracts
from ingestion.venues import gate_futures as futures
from ingestion.venues import gate_spot as spot
from ingestion.venues import gate_tiers as tiers
from ingestion.venues.base import Endpoint, Request, Venue
from ingestion.venues.gate_names import terms
from ingestion.venues.gate_paging import (
    API,
    ask_candles,
    ask_contracts,
    ask_funding,
    ask_liquidations,
    ask_pairs,
    ask_spot_candles,
    ask_spot_trades,
    ask_trades,
    next_funding,
    next_liquidations,
    next_trades,
)

PERPS = API + r"futures/((usdt|btc)/)?"  # paths of 2019 name no settlement
DATED = API + "delivery/usdt/"
EITHER = API + r"(futures|delivery)/((usdt|btc)/)?"
DEPTH = (("limit", "100"), ("with_id", "true"))
NOT_STATED = "not stated"

GATE = Venue(
    name="gate",
    base_url="https://api.gateio.ws",
    docs_url="https://www.gate.com/docs/developers/apiv4/en/",
    endpoints=(
        Endpoint(
            "instruments",
            API + "spot/currency_pairs",
            spot.parse_pairs,
            lambda plan: [Request(API + "spot/currency_pairs")],
            proof="recording",
        ),
        Endpoint(
            "instruments",
            PERPS + "contracts(/[^/]+)?",
            contracts.parse_contracts,
            lambda plan: [Request(f"{API}futures/{settle}/contracts") for settle in ("usdt", "btc")],
            proof="recording",
        ),
        Endpoint(
            "instruments",
            DATED + "contracts(/[^/]+)?",
            contracts.parse_contracts,
            lambda plan: [Request(DATED + "contracts")],
        ),
        Endpoint(
            "spot_tickers",
            API + "spot/tickers",
            spot.parse_tickers,
            lambda plan: [Request(API + "spot/tickers")],
            is_reference=True,
        ),
        Endpoint(
            "perp_tickers",
            PERPS + "tickers",
            contracts.parse_tickers,
            lambda plan: [Request(f"{API}futures/{settle}/tickers") for settle in ("usdt", "btc")],
            proof="recording",
        ),
        Endpoint(
            "future_tickers",
            DATED + "tickers",
            contracts.parse_tickers,
            lambda plan: [Request(DATED + "tickers")],
        ),
        Endpoint(
            "order_books",
            API + "spot/order_book",
            spot.order_books,
            lambda plan: ask_pairs(plan, "order_book", *DEPTH),
            proof="recording",
        ),
        Endpoint(
            "order_books",
            EITHER + "order_book",
            futures.order_books,
            lambda plan: ask_contracts(plan, "order_book", *DEPTH),
            proof="recording",
        ),
        Endpoint(
            "trades",
            API + "spot/trades",
            spot.parse_trades,
            ask_spot_trades,
            is_archived=True,
            follow=next_trades,
            history="30 days",
        ),
        Endpoint(
            "trades",
            EITHER + "trades",
            futures.parse_trades,
            ask_trades,
            is_archived=True,
            follow=next_trades,
            history=NOT_STATED,
            proof="recording",
        ),
        Endpoint(
            "candles",
            API + "spot/candlesticks",
            spot.parse_candles,
            ask_spot_candles,
            is_archived=True,
            history="10,000 bars: a week of minutes",
        ),
        Endpoint(
            "candles",
            EITHER + "candlesticks",
            futures.parse_candles,
            ask_candles,
            is_archived=True,
            history=NOT_STATED,
        ),
        Endpoint(
            "funding_rates",
            PERPS + "funding_rate",
            futures.parse_funding_rates,
            ask_funding,
            is_archived=True,
            follow=next_funding,
            history=NOT_STATED,
        ),
        Endpoint(
            "liquidations",
            PERPS + "liq_orders",
            futures.parse_liquidations,
            ask_liquidations,
            is_archived=True,
            follow=next_liquidations,
            history=f"{NOT_STATED}, an hour a reply",
        ),
        Endpoint(
            "margin_tiers",
            PERPS + "risk_limit_tiers",
            tiers.parse_risk_limits,
            lambda plan: ask_contracts(plan, "risk_limit_tiers", is_perp=True),
        ),
    ),
    terms=terms,
    weight_per_minute=1_200,  # 200 in 10 s of each endpoint, by IP address
    retired={
        "(/api/v4)?/futures/(usdt|btc)/risk_limit_table": "margin tiers by a table's name, which tells of no contract",
    },
    told_within=("open_interest",),
    known_as=("gate_futures", "gateio"),
)
