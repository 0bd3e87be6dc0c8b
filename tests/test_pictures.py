"""Every family of published metrics can be drawn, whole or not at all, and gaps stay gaps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib.image as mpimg
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from orchestration.pictures import FAMILIES, NothingToDraw, draw
from orchestration.pictures.books import time_edges
from orchestration.pictures.looks import line, short
from orchestration.settings import BadSetting, Settings
from tests.world import HOUR_0, store_of

PNG = b"\x89PNG\r\n\x1a\n"
START = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_of_an_hour_is_a_picture_with_much_on_it(family: str, good_hour: Settings, tmp_path: Path) -> None:
    """Axes, letters and panels that say that they have no rows are all grey."""
    path = draw(store_of(good_hour), family, tmp_path / "pictures", underlying="BTC")

    assert path == tmp_path / "pictures" / f"{family}_BTC.png"
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes().startswith(PNG)
    pixels = (255 * mpimg.imread(path)[:, :, :3]).astype(np.uint32)
    drawn = pixels[np.ptp(pixels, axis=2) > 40]
    assert len(drawn) > 100
    assert len(np.unique(drawn @ np.array([65_536, 256, 1], dtype=np.uint32))) > 20


class TestNothingIsWritten:
    def test_of_a_family_that_there_is_not(self, good_hour: Settings, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"^draw 'greeks': no such family \(expected one of arbitrage, books, "):
            draw(store_of(good_hour), "greeks", tmp_path / "out", underlying="BTC")
        assert list(tmp_path.iterdir()) == []

    def test_of_another_kind_of_picture(self, good_hour: Settings, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"vol\.pdf: no picture of that kind is drawn \(expected a \.png"):
            draw(store_of(good_hour), "vol", tmp_path / "vol.pdf", underlying="BTC")
        assert list(tmp_path.iterdir()) == []

    def test_of_an_underlying_without_rows(self, good_hour: Settings, tmp_path: Path) -> None:
        with pytest.raises(NothingToDraw, match=r"fct_vol_surface: no rows of 'DOGE' \(expected one of: BTC, ETH\)"):
            draw(store_of(good_hour), "vol", tmp_path / "out", underlying="DOGE")
        assert list(tmp_path.iterdir()) == []

    def test_of_a_span_without_rows(self, good_hour: Settings, tmp_path: Path) -> None:
        late = HOUR_0 + timedelta(days=1)
        with pytest.raises(NothingToDraw, match=r"^BTC, 2026-03-05 10:00 to 11:00 UTC: fct_basis has no rows"):
            draw(
                store_of(good_hour),
                "carry",
                tmp_path / "out.png",
                underlying="BTC",
                start=late,
                end=late + timedelta(hours=1),
            )
        assert list(tmp_path.iterdir()) == []

    def test_of_a_venue_without_rows(self, good_hour: Settings, tmp_path: Path) -> None:
        with pytest.raises(NothingToDraw, match=r"^nowhere BTC, .*fct_order_book_imbalance has no rows"):
            draw(store_of(good_hour), "books", tmp_path / "out", underlying="BTC", venue="nowhere")
        assert list(tmp_path.iterdir()) == []

    def test_where_a_picture_cannot_be_put_and_what_was_there_stays(self, good_hour: Settings, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("kept")
        with pytest.raises(BadSetting, match=r"^--out .*/file/out\.png: .* \(expected a file that this user may write"):
            draw(store_of(good_hour), "pressure", tmp_path / "file" / "out.png", underlying="BTC")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


class TestGaps:
    def test_a_line_is_broken_where_a_look_is_missing_and_where_a_value_is_null(self) -> None:
        minutes = [0, 15, 30, 90, 105, 120]
        times = pd.Series([pd.Timestamp(START) + pd.Timedelta(minutes=minute) for minute in minutes])
        axis = Figure().subplots()

        line(axis, times, pd.Series([1.0, 2.0, 3.0, 4.0, None, 6.0]))

        y = np.asarray(axis.lines[0].get_ydata(), dtype=np.float64)
        assert [None if np.isnan(value) else value for value in y] == [1.0, 2.0, 3.0, None, 4.0, None, 6.0]

    def test_a_heat_map_is_empty_in_minutes_that_were_not_looked_at(self) -> None:
        at = pd.DatetimeIndex([pd.Timestamp(START) + pd.Timedelta(minutes=minute) for minute in (0, 1, 2, 7)])
        edges, values = time_edges(pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=at))

        minutes = (edges - edges[0]) / np.timedelta64(60, "s")
        assert minutes.tolist() == [0, 1, 2, 3, 7, 8]
        assert [None if np.isnan(value) else value for value in values[0]] == [1.0, 2.0, 3.0, None, 4.0]


@pytest.mark.parametrize(
    ("value", "told"), [(0.0, "0"), (-8.134, "-8.13"), (1500.0, "1.5k"), (-2.5e6, "-2.5M"), (7.25e9, "7.25B")]
)
def test_dollars_are_told_in_three_digits(value: float, told: str) -> None:
    assert short(value) == told
