"""What the names of Deribit, OKX and Bybit say, and where they say too little."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.records import Instrument
from ingestion.venues import bybit_names, deribit_names, okx_names
from ingestion.venues.base import Refused, Reply
from ingestion.venues.bybit import BYBIT
from ingestion.venues.bybit_names import read_spot
from ingestion.venues.okx import OKX

NOW = datetime(2024, 1, 14, 20, 1, 10, tzinfo=UTC)


class TestDeribitsNames:
    @pytest.mark.parametrize(
        ("symbol", "kind", "base", "quote", "settle", "strike"),
        [
            ("BTC-PERPETUAL", "perp", "BTC", "USD", "BTC", None),
            ("XRP_USDC-PERPETUAL", "perp", "XRP", "USDC", "USDC", None),
            ("BTC-29MAR24", "future", "BTC", "USD", "BTC", None),
            ("BTC_USDC-5APR24", "future", "BTC", "USDC", "USDC", None),
            ("BTC-29MAR24-40000-C", "option", "BTC", "USD", "BTC", 40_000.0),
            ("SOL_USDC-30AUG24-150-C", "option", "SOL", "USDC", "USDC", 150.0),
            ("XRP_USDC-30JUN23-0d625-P", "option", "XRP", "USDC", "USDC", 0.625),
            ("BTC_USDC", "spot", "BTC", "USDC", "USDC", None),
        ],
    )
    def test_say_kind_currencies_and_strike(
        self, symbol: str, kind: str, base: str, quote: str, settle: str, strike: float | None
    ) -> None:
        name = deribit_names.read_name(symbol)

        assert (name.kind, name.base_asset, name.quote_asset, name.settle_asset) == (
            kind,
            base,
            quote,
            settle,
        )
        assert name.strike_px == strike
        assert name.is_inverse is (quote == "USD")

    def test_contracts_end_at_eight(self) -> None:
        assert deribit_names.read_name("BTC-5APR24").expiry_ts == datetime(2024, 4, 5, 8, tzinfo=UTC)

    @pytest.mark.parametrize(
        "symbol",
        [
            "BTC-FS-29MAR24_PERP",
            "BTC-CS-19MAY26-70000_75000",
            "BTC-STRD-29MAY26-77000",
            "BTC-29XYZ24",
            "BTC-31FEB24",
            "BTC",
            "",
            "btc-perpetual",
            "BTC-PERPETUAL\n",
            "BTC-29MAR24-40000-X",
        ],
    )
    def test_outside_the_grammar_are_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            deribit_names.read_name(symbol)

        assert caught.value.rule == "unknown_symbol"

    def test_a_linear_size_that_is_documented_nowhere_is_not_guessed(self) -> None:
        with pytest.raises(Refused, match="contract size") as caught:
            deribit_names.terms("XRP_USDC-PERPETUAL", "perp", NOW)

        assert caught.value.rule == "unknown_terms"
        assert deribit_names.terms("SOL_USDC-30AUG24-150-C", "option", NOW).contract_size == 10.0

    def test_a_name_asked_about_as_another_kind_is_refused(self) -> None:
        with pytest.raises(Refused, match="kind is future in the reply, perp by its name"):
            deribit_names.terms("BTC-PERPETUAL", "future", NOW)


class TestOkxsTerms:
    @pytest.mark.parametrize(
        ("symbol", "kind", "size", "unit", "is_inverse"),
        [
            ("BTC-USDT", "spot", 1.0, "base", False),
            ("BTC-USD-SWAP", "perp", 100.0, "contracts", True),
            ("ETH-USD-SWAP", "perp", 10.0, "contracts", True),
            ("BTC-USDT-SWAP", "perp", 0.01, "contracts", False),
            ("ETH-USDT-240329", "future", 0.1, "contracts", False),
            ("ETH-USD-240329-2500-P", "option", 0.1, "contracts", True),
        ],
    )
    def test_are_documented_for_bitcoin_and_ether(
        self, symbol: str, kind: Any, size: float, unit: str, is_inverse: bool
    ) -> None:
        terms = okx_names.terms(symbol, kind, NOW)

        assert (terms.contract_size, terms.amount_unit, terms.is_inverse) == (size, unit, is_inverse)

    def test_change_with_the_day(self) -> None:
        """The options' multiplier was cut to a tenth on 2022-05-26 from 08:00 to 09:00 UTC."""
        day = datetime(2022, 5, 26, tzinfo=UTC)

        def size(at: datetime) -> float:
            return okx_names.terms("BTC-USD-220624-30000-C", "option", at).contract_size

        assert size(day + timedelta(hours=7, minutes=59)) == 0.1
        assert size(day + timedelta(hours=9)) == 0.01
        with pytest.raises(Refused, match="2022-05-26 08:30"):
            size(day + timedelta(hours=8, minutes=30))

    @pytest.mark.parametrize(
        ("symbol", "kind"),
        [("SOL-USDT-SWAP", "perp"), ("BTC-USDC-SWAP", "perp"), ("SOL-USD-240329-90-C", "option")],
    )
    def test_are_refused_where_a_size_was_never_announced(self, symbol: str, kind: Any) -> None:
        with pytest.raises(Refused) as caught:
            okx_names.terms(symbol, kind, NOW)

        assert caught.value.rule == "unknown_terms"

    @pytest.mark.parametrize(
        ("symbol", "kind", "expires", "strike"),
        [
            ("BTC-USD_UM-SWAP", "perp", None, None),
            ("BTC-USD_UM-261030", "future", datetime(2026, 10, 30, 8, tzinfo=UTC), None),
            ("BTC-USD_UM-260928-79000-C", "option", datetime(2026, 9, 28, 8, tzinfo=UTC), 79_000.0),
        ],
    )
    def test_behind_a_dollar_um_is_linear_and_settled_in_dollars(
        self, symbol: str, kind: Any, expires: datetime | None, strike: float | None
    ) -> None:
        name = okx_names.read_name(symbol)

        assert (name.kind, name.expiry_ts, name.strike_px) == (kind, expires, strike)
        assert (name.base_asset, name.quote_asset, name.settle_asset, name.is_inverse) == ("BTC", "USD", "USD", False)
        with pytest.raises(Refused, match="contract size"):
            okx_names.terms(symbol, kind, NOW)

    @pytest.mark.parametrize("settle", ["USD", "USDⓈ"])
    def test_of_dollar_margined_contracts_are_listed_under_either_spelling_of_their_currency(self, settle: str) -> None:
        row = {
            "instType": "SWAP",
            "instId": "BTC-USD_UM-SWAP",
            "instFamily": "BTC-USD_UM",
            "uly": "BTC-USD",
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": settle,
            "ctVal": "0.01",
            "ctMult": "1",
            "ctValCcy": "BTC",
            "ctType": "linear",
            "expTime": "",
            "stk": "",
            "optType": "",
            "tickSz": "0.1",
            "lotSz": "0.01",
        }
        option = {**row, "instType": "OPTION", "instId": "BTC-USD_UM-260928-79000-C", "ctType": ""}
        option |= {"expTime": "1790582400000", "stk": "79000", "optType": "C"}
        body = json.dumps({"code": "0", "msg": "", "data": [row, option]}).encode()
        listed = list(OKX.parse(Reply.read("/api/v5/public/instruments", "instType=SWAP", body, NOW)))

        for item in listed:
            assert isinstance(item, Instrument)
            name = okx_names.read_name(item.symbol)
            assert (item.contract_size, item.amount_unit, item.is_inverse) == (0.01, "contracts", False)
            assert (item.kind, item.settle_asset, item.expiry_ts) == (name.kind, name.settle_asset, name.expiry_ts)
        assert [item.kind for item in listed if isinstance(item, Instrument)] == ["perp", "option"]

    @pytest.mark.parametrize(
        "symbol",
        [
            "BTC",
            "BTC-USDT-PERP",
            "BTC-USD-20240329",
            "BTC-USD-241329",
            "btc-usdt",
            "",
            "BTC-USD_UM",
            "BTC-USDT_UM-SWAP",
            "BTC-USD_XX-SWAP",
        ],
    )
    def test_are_refused_for_names_outside_the_grammar(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            okx_names.terms(symbol, "spot", NOW)

        assert caught.value.rule == "unknown_symbol"


class TestBybitsNames:
    @pytest.mark.parametrize(
        ("symbol", "kind", "base", "quote", "settle", "is_inverse"),
        [
            ("BTCUSDT", "perp", "BTC", "USDT", "USDT", False),
            ("1000PEPEUSDT", "perp", "1000PEPE", "USDT", "USDT", False),
            ("PERPUSDT", "perp", "PERP", "USDT", "USDT", False),
            ("BTCPERP", "perp", "BTC", "USDC", "USDC", False),
            ("BTCUSD", "perp", "BTC", "USD", "BTC", True),
            ("BTCUSDH24", "future", "BTC", "USD", "BTC", True),
            ("BTC-29DEC23", "future", "BTC", "USDC", "USDC", False),
            ("BTCUSDT-5APR24", "future", "BTC", "USDT", "USDT", False),
            ("BTC-29MAR24-40000-C", "option", "BTC", "USDC", "USDC", False),
            ("XRP-29MAR24-0.5-P-USDT", "option", "XRP", "USDT", "USDT", False),
        ],
    )
    def test_of_derivatives(self, symbol: str, kind: str, base: str, quote: str, settle: str, is_inverse: bool) -> None:
        name = bybit_names.read_name(symbol)

        assert (name.kind, name.base_asset, name.quote_asset, name.settle_asset) == (
            kind,
            base,
            quote,
            settle,
        )
        assert name.is_inverse is is_inverse

    @pytest.mark.parametrize(
        ("symbol", "day"),
        [
            ("BTCUSDH24", "2024-03-29"),
            ("BTCUSDM24", "2024-06-28"),
            ("ETHUSDU23", "2023-09-29"),
            ("ETHUSDZ23", "2023-12-29"),
        ],
    )
    def test_of_quarterlies_end_on_the_last_friday_at_eight(self, symbol: str, day: str) -> None:
        assert bybit_names.read_name(symbol).expiry_ts == datetime.fromisoformat(f"{day}T08:00Z")

    @pytest.mark.parametrize(
        ("symbol", "base", "quote"),
        [
            ("BTCUSDT", "BTC", "USDT"),
            ("BTC3LUSDT", "BTC3L", "USDT"),
            ("USDTEUR", "USDT", "EUR"),
            ("WBTCBTC", "WBTC", "BTC"),
        ],
    )
    def test_of_spot_pairs(self, symbol: str, base: str, quote: str) -> None:
        name = read_spot(symbol)

        assert (name.kind, name.base_asset, name.quote_asset, name.is_inverse) == ("spot", base, quote, False)

    @pytest.mark.parametrize("symbol", ["", "USDT", "BTC", "BTC-29XYZ24", "BTCUSDK24", "BTC-31FEB24", "btcusdt"])
    def test_outside_the_grammar_are_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            bybit_names.read_name(symbol)

        assert caught.value.rule == "unknown_symbol"

    def test_say_what_sizes_count(self) -> None:
        inverse, linear = (
            bybit_names.terms("BTCUSDH24", "future", NOW),
            bybit_names.terms("BTCPERP", "perp", NOW),
        )
        option = bybit_names.terms("BTC-29MAR24-40000-C", "option", NOW)

        assert (inverse.amount_unit, inverse.contract_size, inverse.settle_asset) == ("usd", 1.0, "BTC")
        assert (linear.amount_unit, linear.contract_size, linear.quote_asset) == ("base", 1.0, "USDC")
        assert (option.amount_unit, option.is_inverse, option.quote_asset) == ("base", False, "USDC")
        assert (option.strike_px, option.option_type) == (40_000.0, "call")

    def test_say_no_funding_interval_but_that_of_bitcoin_and_ether(self) -> None:
        """Other coins' intervals were shortened one by one; only lists and newer tickers state them."""
        assert bybit_names.terms("ETHUSDT", "perp", NOW).funding_interval_s == 28_800
        assert bybit_names.terms("1000PEPEUSDT", "perp", NOW).funding_interval_s is None

    def test_agree_with_the_list_of_every_category(self) -> None:
        perp = {
            "symbol": "BTCUSDT",
            "contractType": "LinearPerpetual",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "deliveryTime": "0",
            "fundingInterval": 480,
            "priceFilter": {"tickSize": "0.10"},
            "lotSizeFilter": {"qtyStep": "0.001"},
        }
        quarterly = {
            **perp,
            "symbol": "BTCUSDH24",
            "contractType": "InverseFutures",
            "quoteCoin": "USD",
            "settleCoin": "BTC",
            "deliveryTime": "1711699200000",
        }
        option = {
            "symbol": "BTC-29MAR24-40000-P",
            "optionsType": "Put",
            "baseCoin": "BTC",
            "quoteCoin": "USD",
            "settleCoin": "USDC",
            "deliveryTime": "1711699200000",
            "priceFilter": {"tickSize": "5"},
            "lotSizeFilter": {"qtyStep": "0.01"},
        }
        pair = {
            "symbol": "BTCUSDT",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "priceFilter": {"tickSize": "0.01"},
            "lotSizeFilter": {"basePrecision": "0.000001"},
        }
        result = {"category": "linear", "list": [perp, quarterly, option, pair]}
        body = json.dumps({"retCode": 0, "retMsg": "OK", "result": result}).encode()
        listed = list(BYBIT.parse(Reply.read("/v5/market/instruments-info", "category=linear", body, NOW)))

        for item in listed:
            assert isinstance(item, Instrument)
            documented = bybit_names.terms(item.symbol, item.kind, NOW)
            for term in (
                "base_asset",
                "quote_asset",
                "settle_asset",
                "is_inverse",
                "amount_unit",
                "contract_size",
            ):
                assert getattr(item, term) == getattr(documented, term)
            for term in ("expiry_ts", "strike_px", "option_type", "funding_interval_s"):
                assert getattr(item, term) == getattr(documented, term)
        assert [(i.kind, i.tick_size_px, i.lot_size_qty) for i in listed if isinstance(i, Instrument)] == [
            ("perp", 0.1, 0.001),
            ("future", 0.1, 0.001),
            ("option", 5.0, 0.01),
            ("spot", 0.01, 0.000001),
        ]
