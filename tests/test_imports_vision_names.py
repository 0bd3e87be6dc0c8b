"""Names of Binance's archive: which file each is, and why some are refused."""

from pathlib import Path

import pytest

from ingestion.imports.vision_files import VisionFile
from ingestion.venues.base import Refused


@pytest.mark.parametrize(
    ("local", "told", "path"),
    [
        (
            "data/futures/um/daily/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01-14.zip",
            {},
            "/data/futures/um/daily/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01-14.zip",
        ),
        (
            "BTCUSDT-aggTrades-2024-01-14.zip",
            {"market": "spot"},
            "/data/spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-14.zip",
        ),
        (
            "BTCUSDT-1h-2024-01.zip",
            {"market": "um", "kind": "klines"},
            "/data/futures/um/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip",
        ),
        (
            "BTCUSD_PERP-trades-2024-01-14.zip",
            {},
            "/data/futures/cm/daily/trades/BTCUSD_PERP/BTCUSD_PERP-trades-2024-01-14.zip",
        ),
        (
            "BTCBUSD_210129-aggTrades-2021-01-14.zip",
            {},
            "/data/futures/um/daily/aggTrades/BTCBUSD_210129/BTCBUSD_210129-aggTrades-2021-01-14.zip",
        ),
        (
            "BNBUSD_210625-aggTrades-2021-01-14.zip",
            {},
            "/data/futures/cm/daily/aggTrades/BNBUSD_210625/BNBUSD_210625-aggTrades-2021-01-14.zip",
        ),
        (
            "BNBUSD_PERP-trades-2024-01-14.zip",
            {},
            "/data/futures/cm/daily/trades/BNBUSD_PERP/BNBUSD_PERP-trades-2024-01-14.zip",
        ),
        (
            "BTCUSDT-metrics-2024-01-14.zip",
            {},
            "/data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2024-01-14.zip",
        ),
        (
            "BTCUSDT-EOHSummary-2023-10-23.zip",
            {},
            "/data/option/daily/EOHSummary/BTCUSDT/BTCUSDT-EOHSummary-2023-10-23.zip",
        ),
    ],
)
def test_a_name_says_which_file_it_is_with_its_folder_or_its_caller(
    local: str, told: dict[str, str], path: str
) -> None:
    file = VisionFile.named(Path(local), **told)

    assert file.path == path
    assert VisionFile.named(Path(path)) == file


@pytest.mark.parametrize(
    ("local", "told", "reason"),
    [
        ("BTCUSDT-aggTrades-2024-01-14.zip", {}, "does not say its market (expected --market"),
        ("BTCUSDT-1h-2024-01-14.zip", {"market": "um"}, "does not say its kind of data (expected --kind"),
        ("BTCUSDT-aggTrades-2024-01-14.zip", {"market": "moon"}, "market 'moon' (expected spot or um or cm)"),
        ("BTCUSD_PERP-trades-2024-01-14.zip", {"market": "um"}, "is said to be cm and um"),
        ("BTCBUSD_210129-trades-2021-01-14.zip", {"market": "cm"}, "is said to be cm and um"),
        (
            "data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-14.zip",
            {"kind": "markPriceKlines"},
            "is said to be klines and markPriceKlines",
        ),
        ("BTCUSDT-1mo-2024-01.zip", {"market": "um", "kind": "klines"}, "a month has no fixed length"),
        ("BTCUSDT-klines-2024-01-14.zip", {"market": "um"}, "expected an interval in the names of bars alone"),
        ("BTCUSDT-bookDepth-2024-01-14.zip", {}, "are no book: no dataset of the lake holds them"),
        (
            "data/futures/um/daily/premiumIndexKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01-14.zip",
            {},
            "a premium is a fraction and no price",
        ),
        ("BTCUSDT-rumours-2024-01-14.zip", {}, "kind rumours: unknown (expected one of trades"),
        ("BTCUSDT-trades.zip", {}, "not a name of Binance's archive"),
        ("../../etc/passwd", {}, "not a name of Binance's archive"),
    ],
)
def test_what_cannot_be_told_or_taken_is_refused(local: str, told: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        VisionFile.named(Path(local), **told)

    assert reason in refused.value.reason
