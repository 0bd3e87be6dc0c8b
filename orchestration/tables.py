"""The tables that readers get, with their grain."""

from orchestration.candidates import PublishedTable


def _hourly(name: str, schema: str, *grain: str) -> PublishedTable:
    return PublishedTable(name, schema, "utc_hour", grain)


INSTRUMENT = ("venue", "kind", "symbol")
CURVE = (
    *("venue", "underlying", "quote_asset", "settle_asset"),
    *("reference_venue", "reference_kind", "reference_symbol", "minute_ts"),
)

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
    _hourly("fct_basis_term_structure", "facts", *CURVE),
    _hourly("fct_calendar_spreads", "facts", *CURVE, "near_expiry_ts"),
    _hourly("fct_carry_net", "facts", *INSTRUMENT, "reference_venue", "reference_symbol", "utc_hour", "size_usd"),
    _hourly("fct_funding", "facts", *INSTRUMENT, "is_predicted", "rate_ts"),
    _hourly("fct_funding_by_underlying", "facts", "underlying", "utc_hour"),
    _hourly("fct_trade_flow", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_data_coverage", "facts", "venue", "dataset", "utc_hour"),
    _hourly("mart_pressure_differentials_hourly", "marts", "underlying", "utc_hour"),
)
DAILY_TABLES = (
    PublishedTable("mart_reconciliation_daily", "marts", "utc_date", ("utc_date", "venue", "metric", "underlying")),
    PublishedTable("mart_pressure_differentials_daily", "marts", "utc_date", ("underlying", "utc_date")),
)
