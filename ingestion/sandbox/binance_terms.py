"""Binance's `exchangeInfo` rows and how its three venues write prices and sizes."""

from datetime import datetime
from typing import Final

from ingestion.sandbox.calendars import quarter_expiries
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.path import milliseconds

SPOT, USDM, COINM = "binance_spot", "binance_usdm", "binance_coinm"
NEVER_MS: Final = 4_133_404_800_000  # delivery date of a perpetual
ONBOARD_MS: Final = 1_569_398_400_000


def pair_of(listing: Listing) -> str:
    return listing.symbol.split("_")[0]


def written_px(listing: Listing, px: float) -> str:
    if listing.kind == "spot":
        return f"{px:.8f}"
    return f"{px:.2f}" if listing.venue == USDM else listing.price(px)


def written_qty(listing: Listing, qty: float) -> str:
    return f"{qty:.8f}" if listing.kind == "spot" else listing.quantity(qty)


def spot_terms(listing: Listing, at: datetime) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.asset,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
    }


def _filters(listing: Listing) -> list[dict[str, object]]:
    tick, lot = written_px(listing, listing.tick), written_qty(listing, listing.lot)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": written_px(listing, 1e6),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": written_qty(listing, 9_000.0), "stepSize": lot},
    ]


def contract_terms(listing: Listing, at: datetime) -> dict[str, object]:
    is_coinm = listing.venue == COINM
    status: dict[str, object] = {"contractStatus": "TRADING", "contractSize": int(listing.contract_size)}
    return {
        "symbol": listing.symbol,
        "pair": pair_of(listing),
        "contractType": contract_type(listing, at),
        "deliveryDate": NEVER_MS if listing.expiry is None else milliseconds(listing.expiry),
        "onboardDate": ONBOARD_MS,
        **(status if is_coinm else {"status": "TRADING"}),
        "baseAsset": listing.asset,
        "quoteAsset": listing.quote,
        "marginAsset": listing.settle,
        "pricePrecision": listing.px_dp if is_coinm else 2,
        "quantityPrecision": listing.qty_dp,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": _filters(listing),
        "orderTypes": ["LIMIT", "MARKET", "STOP"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def contract_type(listing: Listing, at: datetime) -> str:
    if listing.expiry is None:
        return "PERPETUAL"
    return "CURRENT_QUARTER" if listing.expiry == quarter_expiries(at)[0] else "NEXT_QUARTER"
