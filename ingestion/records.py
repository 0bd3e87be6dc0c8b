"""What ingestion promises to the rest of the warehouse: one frozen record per dataset.

The record is the contract: the Parquet schema, the gate's rules and the dbt sources follow its fields.
Quantities (`*_qty`) stay in the venue's own unit; `Instrument.amount_unit` says which, and staging converts once.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

Kind = Literal["spot", "perp", "future", "option"]
AmountUnit = Literal["contracts", "base", "usd"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every row carries: identity is (venue, kind, symbol), and the two clocks are never mixed."""

    venue: str
    symbol: str  # the venue's spelling; unique only together with venue and kind
    kind: Kind
    captured_ts: datetime  # our clock, UTC; never replaced
    event_ts: datetime | None = None  # the venue's clock, UTC; null where the reply carries none


class Instrument(Record, frozen=True, kw_only=True):
    """The terms of one instrument, as listed by the venue or derived from its documented grammar."""

    base_asset: str
    quote_asset: str  # what prices are quoted in; for coin-premium options the strike's currency, USD
    settle_asset: str
    # One contract: base coin if linear, quote currency if inverse, settlement coin a point of price if quanto.
    contract_size: float
    amount_unit: AmountUnit  # what this venue's sizes, trades and open interest count
    is_inverse: bool  # coin-settled; for options: premium quoted in the base coin
    is_quanto: bool = False  # settled in a coin that is neither base nor quote, at a fixed rate
    tick_size_px: float | None = None
    lot_size_qty: float | None = None
    strike_px: float | None = None
    option_type: Literal["call", "put"] | None = None
    expiry_ts: datetime | None = None  # null for spot and perpetuals
    funding_interval_s: int | None = None
    terms_source: Literal["listed", "documented"]


class OrderBook(Record, frozen=True, kw_only=True):
    """One snapshot, best level first on both sides, sizes in the venue's unit."""

    sequence_id: int | None = None
    bid_px: tuple[float, ...]
    bid_qty: tuple[float, ...]
    ask_px: tuple[float, ...]
    ask_qty: tuple[float, ...]


class Trade(Record, frozen=True, kw_only=True):
    """One trade; `side` is the aggressor's (the taker's), never the resting order's."""

    trade_id: str
    px: float
    qty: float
    side: Literal["buy", "sell"]
    is_aggregate: bool = False  # several fills of one taker order, as Binance's aggTrades


class SpotTicker(Record, frozen=True, kw_only=True):
    """Top of book and day's figures of a spot pair; null where the endpoint does not say."""

    bid_px: float | None = None
    bid_qty: float | None = None
    ask_px: float | None = None
    ask_qty: float | None = None
    last_px: float | None = None
    volume_24h_base: float | None = None
    volume_24h_quote: float | None = None


class FutureTicker(SpotTicker, frozen=True, kw_only=True):
    """A dated future: quotes, mark and index; null where the endpoint does not say."""

    mark_px: float | None = None
    index_px: float | None = None


class PerpTicker(FutureTicker, frozen=True, kw_only=True):
    """A perpetual: as a dated future, with the running funding rate."""

    funding_rate: float | None = None  # a decimal per `funding_interval_s`; positive: longs pay
    funding_interval_s: int | None = None
    next_funding_ts: datetime | None = None


class OptionQuote(Record, frozen=True, kw_only=True):
    """One option's quote; prices in the premium's currency (see `Instrument.is_inverse`), vols decimals a year."""

    bid_px: float | None = None
    bid_qty: float | None = None
    ask_px: float | None = None
    ask_qty: float | None = None
    mark_px: float | None = None
    last_px: float | None = None
    forward_px: float | None = None  # the venue's forward of this expiry, USD
    index_px: float | None = None
    bid_iv_ann: float | None = None
    mark_iv_ann: float | None = None
    ask_iv_ann: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    volume_24h_qty: float | None = None


class FundingRate(Record, frozen=True, kw_only=True):
    """One settled funding payment; `event_ts` is the settlement. Positive: longs pay."""

    funding_rate: float
    funding_interval_s: int | None = None
    mark_px: float | None = None


class OpenInterest(Record, frozen=True, kw_only=True):
    """Open interest in the venue's unit, and in base coin where the venue states that too."""

    open_interest_qty: float
    open_interest_base: float | None = None


class Candle(Record, frozen=True, kw_only=True):
    """One bar, labelled by its start (`event_ts`), half open."""

    interval_s: int
    open_px: float
    high_px: float
    low_px: float
    close_px: float
    volume_base: float | None = None


class Liquidation(Record, frozen=True, kw_only=True):
    """One forced order; `side` is the order's, so `buy` closes a short."""

    liquidation_id: str | None = None  # null where the venue gives none
    side: Literal["buy", "sell"]
    px: float
    px_source: Literal["fill", "order", "bankruptcy"]  # what the venue's price is
    qty: float
    is_sampled: bool = False  # the venue shows some only, as Binance the largest of a second


class VolatilityIndex(Record, frozen=True, kw_only=True):
    """A venue's volatility index, decimals a year: one value, or a bar labelled by its start; `kind` is `option`."""

    base_asset: str
    interval_s: int | None = None  # null: one value
    open_iv_ann: float | None = None
    high_iv_ann: float | None = None
    low_iv_ann: float | None = None
    close_iv_ann: float  # the value


class GasPrice(Record, frozen=True, kw_only=True):
    """What a transaction costs on a chain; `symbol` is the coin it is paid in, `venue` the chain, `kind` is `spot`.

    Wei a gas unit. The fees of an OP-stack chain's data on its first layer stand beside its own.
    """

    chain_id: int
    block_number: int | None = None  # null: a price that names no block
    base_fee_wei: int | None = None  # of this block
    next_base_fee_wei: int | None = None  # of the next, which EIP-1559 fixes
    gas_price_wei: int | None = None  # the node's suggestion
    priority_fee_p10_wei: int | None = None  # of the block's gas, by percentile
    priority_fee_p50_wei: int | None = None
    priority_fee_p90_wei: int | None = None
    gas_used_frac: float | None = None
    l1_base_fee_wei: int | None = None
    l1_blob_base_fee_wei: int | None = None
    l1_base_fee_scalar: int | None = None
    l1_blob_base_fee_scalar: int | None = None
    l1_data_fee_wei: int | None = None  # of a transaction of `l1_tx_bytes`, an upper bound by the chain itself
    l1_tx_bytes: int | None = None


class PoolReserves(Record, frozen=True, kw_only=True):
    """What a pool of two tokens held; `venue` is the chain, `symbol` the pool's address, `kind` is `spot`.

    Whole numbers of each token's smallest unit, of which ten to the power of its decimals make one: they lose no digit.
    """

    chain_id: int
    block_number: int | None = None  # the newest when it was asked
    base_asset: str
    quote_asset: str
    base_reserve_units: Decimal
    quote_reserve_units: Decimal
    base_decimals: int
    quote_decimals: int
    changed_ts: datetime | None = None  # the clock of the block that last changed them


HoleReason = Literal[
    "gap", "reset", "silence", "disconnected", "no_snapshot", "crossed", "checksum", "overflow", "killed"
]


class StreamHole(Record, frozen=True, kw_only=True):
    """A stretch in which a stream told nothing that can be trusted, from `captured_ts` to `until_ts`."""

    dataset: str
    until_ts: datetime | None = None  # null: not mended within the hour
    reason: HoleReason
    missed_from_id: int | None = None
    missed_to_id: int | None = None


class MarginTier(Record, frozen=True, kw_only=True):
    """What the venue asks of an isolated position whose size is over the floor, up to the cap.

    Initial and maintenance margin are fractions of the position's value. The deduction, in the unit of the size, is
    what some venues take off the maintenance margin so that it does not jump between tiers.
    """

    size_unit: Literal["contracts", "base", "quote"]
    size_floor_qty: float
    size_cap_qty: float | None = None  # null: the venue tells none
    initial_margin_frac: float
    maintenance_margin_frac: float
    maintenance_deduction_qty: float | None = None  # null: the venue tells none


class IndexPrice(Record, frozen=True, kw_only=True):
    """A venue's index: `symbol` is the index's own name, `kind` is `spot`."""

    base_asset: str
    quote_asset: str
    index_px: float


DATASETS: dict[str, type[Record]] = {
    "instruments": Instrument,
    "order_books": OrderBook,
    "trades": Trade,
    "spot_tickers": SpotTicker,
    "future_tickers": FutureTicker,
    "perp_tickers": PerpTicker,
    "option_quotes": OptionQuote,
    "funding_rates": FundingRate,
    "open_interest": OpenInterest,
    "candles": Candle,
    "index_prices": IndexPrice,
    "liquidations": Liquidation,
    "margin_tiers": MarginTier,
    "volatility_indices": VolatilityIndex,
    "gas_prices": GasPrice,
    "pool_reserves": PoolReserves,
    "stream_holes": StreamHole,
}
DATASET_OF: dict[type[Record], str] = {record: name for name, record in DATASETS.items()}
