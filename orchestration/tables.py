"""The tables that readers get, with their grain."""

from orchestration.candidates import PublishedTable


def _hourly(name: str, schema: str, *grain: str) -> PublishedTable:
    return PublishedTable(name, schema, "utc_hour", grain)


INSTRUMENT = ("venue", "kind", "symbol")

HOURLY_TABLES = (
    _hourly("dim_instruments", "facts", *INSTRUMENT, "utc_hour", "valid_from_ts"),
    _hourly("fct_order_book_imbalance", "facts", *INSTRUMENT, "captured_ts"),
    _hourly(
        "fct_basis",
        "facts",
        *INSTRUMENT,
        "reference_venue",
        "reference_symbol",
        "reference_kind",
        "captured_ts",
    ),
    PublishedTable(
        "fct_options_positioning",
        "facts",
        "utc_hour",
        ("venue", "underlying", "captured_ts", "expiry_ts"),
        nullable=("expiry_ts",),  # null: all expiries together
    ),
    PublishedTable(
        "fct_vol_spread",
        "facts",
        "utc_hour",
        ("underlying", "venue", "tenor_days", "captured_ts"),
        matures_after_days=(7, 30, 60, 90),  # the tenors: realised volatility after the hour
    ),
    _hourly("fct_arbitrage", "facts", "arbitrage_kind", "legs_id", "captured_ts"),
    _hourly("fct_gas_costs", "facts", "venue", "captured_ts"),
    _hourly("fct_trade_flow", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_data_coverage", "facts", "venue", "dataset", "utc_hour"),
    _hourly("mart_pressure_differentials_hourly", "marts", "underlying", "utc_hour"),
)
DAILY_TABLES = (PublishedTable("mart_pressure_differentials_daily", "marts", "utc_date", ("underlying", "utc_date")),)
