"""Ethereum over JSON-RPC: blocks every 12 s, their gas, and the watched pools, which follow the market.

base fee    8 gwei of even blocks, 8.5 of odd ones: by EIP-1559, blocks being 3/4 and 9/34 full in turn
price       US dollars of a coin / worth of the money · (1 + deviation), at the block's clock
reserves    LIQUIDITY / √price coins and LIQUIDITY · √price of money
deviation   of the pools in USDC, in each fourth hour (1, 5, 9, … o'clock): DEVIATION from :20 to :25, its opposite from
            :40 to :45; else none
https://ethereum.github.io/execution-apis/
"""

import json
from datetime import datetime, timedelta
from math import sqrt
from typing import Any, Final

from ingestion.sandbox.path import EPOCH
from ingestion.sandbox.prices import Prices
from ingestion.sandbox.wire import Ask, Route, TurnedAway
from ingestion.venues.chains import UNISWAP_V2
from ingestion.venues.evm_pools import GET_RESERVES, Pool

BLOCK_S: Final = 12
GAS_LIMIT: Final = 34_000_000
GAS_USED: Final = (25_500_000, 9_000_000)  # of even and odd blocks
BASE_FEE_WEI: Final = (8_000_000_000, 8_500_000_000)
TIPS_WEI: Final = {10: 500_000_000, 50: 1_000_000_000, 90: 2_000_000_000}
LIQUIDITY: Final = 1_100_000.0  # √(coins · money): some 60 million dollars a side
DEVIATION: Final = 0.012
PLANTED: Final = {20: DEVIATION, 40: -DEVIATION}  # by the minute from which it stands for five


def routes() -> dict[str, Route]:
    return {"/": Route("ethereum", _answer)}


def block_of(at: datetime) -> tuple[int, datetime]:
    """The newest block's number and clock."""
    number = int((at - EPOCH).total_seconds()) // BLOCK_S
    return number, EPOCH + timedelta(seconds=number * BLOCK_S)


def deviation(pool: Pool, block_at: datetime) -> float:
    """How far a pool's price stands from the market's, as a share of it."""
    if pool.quote.asset != "USDC" or block_at.hour % 4 != 1:
        return 0.0
    return PLANTED.get(block_at.minute // 5 * 5, 0.0)


def reserves(market: Prices, pool: Pool, at: datetime) -> tuple[int, int]:
    """What a pool holds of coin and of money, in the smallest units."""
    _, block_at = block_of(at)
    px = market.usd_px(pool.base.asset, block_at) / market.stable_usd(pool.quote.asset, block_at)
    root = sqrt(px * (1 + deviation(pool, block_at)))
    return round(LIQUIDITY / root * 10**pool.base.decimals), round(LIQUIDITY * root * 10**pool.quote.decimals)


def _answer(ask: Ask) -> object:
    try:
        asked = json.loads(ask.body)
        calls = asked if isinstance(asked, list) else [asked]
        told = [{"jsonrpc": "2.0", "id": call["id"]} | _told(ask, call["method"], call["params"]) for call in calls]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise TurnedAway(
            400, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": str(error)}}
        ) from error
    return told if isinstance(asked, list) else told[0]


def _told(ask: Ask, method: str, params: list[Any]) -> dict[str, Any]:
    number, block_at = block_of(ask.at)
    if method == "eth_feeHistory":
        return {"result": _history(number, int(params[0], 16), params[2])}
    if method == "eth_gasPrice":
        return {"result": hex(BASE_FEE_WEI[number % 2] + TIPS_WEI[50])}
    if method == "eth_getBlockByNumber":
        return {"result": _block(number, block_at)}
    pool = next((pool for pool in UNISWAP_V2 if pool.address.lower() == params[0]["to"].lower()), None)
    if method != "eth_call" or pool is None or params[0]["data"] != GET_RESERVES:
        return {"error": {"code": -32601, "message": f"the method {method} does not exist/is not available"}}
    base, quote = reserves(ask.market, pool, ask.at)
    words = (*((base, quote) if pool.is_base_first else (quote, base)), number * BLOCK_S)
    return {"result": "0x" + "".join(f"{word:064x}" for word in words)}


def _history(newest: int, count: int, percentiles: list[float]) -> dict[str, Any]:
    numbers = range(newest - count + 1, newest + 1)
    return {
        "oldestBlock": hex(numbers[0]),
        "baseFeePerGas": [hex(BASE_FEE_WEI[number % 2]) for number in (*numbers, newest + 1)],
        "gasUsedRatio": [GAS_USED[number % 2] / GAS_LIMIT for number in numbers],
        "reward": [[hex(TIPS_WEI[int(percentile)]) for percentile in percentiles] for _ in numbers],
    }


def _block(number: int, block_at: datetime) -> dict[str, str]:
    return {
        "number": hex(number),
        "timestamp": hex(int((block_at - EPOCH).total_seconds())),
        "gasUsed": hex(GAS_USED[number % 2]),
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": hex(BASE_FEE_WEI[number % 2]),
    }
