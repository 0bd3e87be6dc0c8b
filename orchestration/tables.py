"""The tables that readers get, and those that their days rest on, with their grain."""

from orchestration.candidates import PublishedTable


def _hourly(name: str, schema: str, *grain: str) -> PublishedTable:
    return PublishedTable(name, schema, "utc_hour", grain)


def _daily(name: str, *grain: str, nullable: tuple[str, ...] = ()) -> PublishedTable:
    return PublishedTable(name, "marts", "utc_date", grain, nullable=nullable)


INSTRUMENT = ("venue", "kind", "symbol")
CURVE = (
    *("venue", "underlying", "quote_asset", "settle_asset"),
    *("reference_venue", "reference_kind", "reference_symbol", "minute_ts"),
)

HOURLY_TABLES = (
    _hourly("dim_instruments", "facts", *INSTRUMENT, "utc_hour", "valid_from_ts"),
    _hourly("fct_order_book_imbalance", "facts", *INSTRUMENT, "captured_ts"),
    _hourly("fct_order_flow_imbalance", "facts", *INSTRUMENT, "bar_start_ts"),
    _hourly("fct_market_impact", "facts", *INSTRUMENT, "captured_ts", "order_usd"),
    _hourly("fct_book_profile", "facts", *INSTRUMENT, "bar_start_ts", "lower_bps"),
    PublishedTable(
        "fct_book_resilience",
        "facts",
        "utc_hour",
        (*INSTRUMENT, "book_side", "swept_ts"),
        may_be_emptied=True,  # books that came late may show that nothing was swept
    ),
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
    _hourly(
        "fct_options_positioning_by_strike", "facts", "venue", "underlying", "expiry_ts", "strike_px", "captured_ts"
    ),
    PublishedTable(
        "fct_vol_spread",
        "facts",
        "utc_hour",
        ("underlying", "venue", "settle_asset", "tenor_days", "captured_ts"),
        matures_after_days=(7, 30, 60, 90),  # the tenors: realised volatility after the hour
    ),
    PublishedTable(
        "fct_implied_vol",
        "facts",
        "utc_hour",
        (*INSTRUMENT, "captured_ts", "event_ts"),
        nullable=("event_ts",),  # a reply may not say
    ),
    _hourly("fct_vol_surface", "facts", "venue", "underlying", "settle_asset", "captured_ts", "expiry_ts"),
    _hourly(
        "fct_vol_surface_grid",
        "facts",
        *("venue", "underlying", "settle_asset", "captured_ts", "tenor_days", "log_moneyness"),
    ),
    PublishedTable(
        "fct_model_free_variance",
        "facts",
        "utc_hour",
        ("venue", "underlying", "settle_asset", "captured_ts", "expiry_ts"),
        nullable=("expiry_ts",),  # null: at 30 days
    ),
    _hourly("fct_basis_term_structure", "facts", *CURVE),
    _hourly("fct_calendar_spreads", "facts", *CURVE, "near_expiry_ts"),
    _hourly("fct_carry_net", "facts", *INSTRUMENT, "reference_venue", "reference_symbol", "utc_hour", "size_usd"),
    _hourly("fct_funding", "facts", *INSTRUMENT, "is_predicted", "rate_ts"),
    _hourly("fct_funding_by_underlying", "facts", "underlying", "utc_hour"),
    _hourly("fct_arbitrage", "facts", "arbitrage_kind", "legs_id", "captured_ts"),
    _hourly("fct_gas_costs", "facts", "venue", "captured_ts"),
    _hourly("fct_trade_flow", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_liquidity", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_vpin", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_price_gaps", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_dispersion", "facts", "underlying", "kind", "minute_ts"),
    _hourly("fct_lead_lag", "facts", *INSTRUMENT, "reference_venue", "reference_kind", "reference_symbol", "utc_hour"),
    _hourly("fct_liquidations", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_leverage", "facts", *INSTRUMENT, "utc_hour"),
    _hourly("fct_margin_tiers", "facts", *INSTRUMENT, "utc_hour", "size_floor_qty"),
    _hourly("fct_margin_stress", "facts", *INSTRUMENT, "utc_hour", "shock_frac"),
    _hourly("fct_realized_vol", "facts", "underlying", "utc_hour", "window_s", "bar_s"),
    _hourly("fct_pressure", "facts", "underlying", "utc_hour"),
    _hourly("fct_stress", "facts", "underlying", "utc_hour"),
    _hourly("fct_data_coverage", "facts", "venue", "dataset", "utc_hour"),
    _hourly("mart_order_book_pressure_hourly", "marts", *INSTRUMENT, "utc_hour"),
    _hourly("mart_basis_hourly", "marts", *INSTRUMENT, "utc_hour"),
    PublishedTable(
        "mart_vol_spread_hourly",
        "marts",
        "utc_hour",
        ("underlying", "tenor_days", "utc_hour"),
        matures_after_days=(7, 30, 60, 90),
    ),
    PublishedTable(
        "mart_options_positioning_hourly",
        "marts",
        "utc_hour",
        ("venue", "underlying", "expiry_ts", "utc_hour"),
        nullable=("expiry_ts",),
    ),
    _hourly("mart_market_stress_hourly", "marts", "underlying", "utc_hour"),
    _hourly("mart_arbitrage_hourly", "marts", "underlying", "arbitrage_kind", "legs_id", "utc_hour"),
    _hourly("mart_pressure_differentials_hourly", "marts", "underlying", "utc_hour"),
)
# Certified with the hour and shown to no reader: a day rests on them.
KEPT_TABLES = (
    PublishedTable(
        "int_reconciliation_errors_gathered",
        "intermediate",
        "utc_hour",
        ("metric", *INSTRUMENT, "captured_ts", "event_ts"),
        nullable=("event_ts",),
    ),
)
DAILY_TABLES = (
    _daily("mart_order_book_pressure_daily", *INSTRUMENT, "utc_date"),
    _daily("mart_basis_daily", *INSTRUMENT, "reference_kind", "utc_date"),
    _daily("mart_vol_spread_daily", "underlying", "tenor_days", "utc_date"),
    _daily("mart_options_positioning_daily", "venue", "underlying", "expiry_ts", "utc_date", nullable=("expiry_ts",)),
    _daily("mart_market_stress_daily", "underlying", "utc_date"),
    _daily("mart_arbitrage_daily", "underlying", "arbitrage_kind", "legs_id", "utc_date"),
    _daily("mart_reconciliation_daily", "utc_date", "venue", "metric", "underlying"),
    _daily("mart_pressure_differentials_daily", "underlying", "utc_date"),
)
READ_BY_DAYS = (*(table for table in HOURLY_TABLES if table.schema == "marts"), *KEPT_TABLES)
