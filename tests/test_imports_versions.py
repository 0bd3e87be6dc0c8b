"""One content of a vendor's file in a lake: another is refused whole, the same is taken as often as it comes."""

from pathlib import Path

import pytest

from ingestion.imports.archives import Archive, BadFile, check
from ingestion.imports.sealing import refuse_other_version, refuse_two_versions, seal
from ingestion.raw import RawZone
from ingestion.storage import LocalStore, Store
from tests.imported import objects_in, sealed, source_of
from tests.vendor_files import DAY_US, HOUR_US, Line, tardis, tardis_trades, vision


def hourly(folder: Path, hours: range, close: str = "42005") -> Path:
    """Bars of these hours of the day."""
    lines: list[Line] = [
        (at, "42000", "42010", "41990", close, "12.5", at + 3_599_999, "525000", 9, "6", "252000", "0")
        for at in (DAY_US // 1000 + hour * HOUR_US // 1000 for hour in hours)
    ]
    return vision(folder, "um", "klines", "BTCUSDT", lines, interval="1h")


def checked(path: Path) -> Archive:
    return check(path, source_of(path), lambda count: None)


def raw_in(folder: Path) -> RawZone:
    return RawZone(Store.open(str(folder)))


@pytest.mark.parametrize("corrected", [range(24), range(2, 24), range(6), range(6, 12), range(20, 24)])
def test_a_corrected_file_is_refused_whichever_hours_it_shares_with_the_old_one(
    tmp_path: Path, corrected: range
) -> None:
    old, lake = hourly(tmp_path / "old", range(4, 20)), tmp_path / "lake"
    sealed(old, lake)
    before = objects_in(lake)
    archive = checked(hourly(tmp_path / "new", corrected, "42006"))

    with pytest.raises(BadFile) as refused:
        refuse_other_version(archive, raw_in(lake))
    with pytest.raises(BadFile):
        seal(archive, raw_in(lake), lambda count: None)

    reason = str(refused.value)
    assert reason.startswith("BTCUSDT-1h-2024-01-14.zip: another content of it was imported, ")
    assert f"of sha256 {checked(old).sha256[:16]}…; this is of sha256 {archive.sha256[:16]}… (expected" in reason
    assert objects_in(lake) == before


def test_a_correction_is_refused_too_where_the_old_file_was_left_half_way(tmp_path: Path) -> None:
    class Full(LocalStore):
        left = 5

        def put_new(self, key: str, data: bytes) -> bool:
            if self.left == 0:
                raise OSError("the disk is full")
            self.left -= 1
            return super().put_new(key, data)

    old, lake = checked(hourly(tmp_path / "old", range(24))), tmp_path / "lake"
    with pytest.raises(OSError, match="full"):
        seal(old, RawZone(Full(lake)), lambda count: None)

    with pytest.raises(BadFile, match="another content of it was imported"):
        refuse_other_version(checked(hourly(tmp_path / "new", range(12, 24), "42006")), raw_in(lake))
    refuse_other_version(old, raw_in(lake))


def test_two_contents_of_a_file_are_not_taken_at_once(tmp_path: Path) -> None:
    one, other = checked(hourly(tmp_path / "a", range(24))), checked(hourly(tmp_path / "b", range(24), "42006"))

    refuse_two_versions([one, one])
    with pytest.raises(BadFile) as refused:
        refuse_two_versions([one, other])

    reason = str(refused.value)
    assert str(one.local) in reason
    assert reason.startswith(f"{other.local}: of sha256 {other.sha256[:16]}…")
    assert f"of sha256 {one.sha256[:16]}… (expected one content of a file)" in reason


def test_other_files_of_the_same_hour_are_no_other_version(tmp_path: Path) -> None:
    sealed(hourly(tmp_path, range(24)), tmp_path / "lake")
    one, other = (
        checked(tardis(tmp_path, "trades", "deribit", symbol, tardis_trades(3))) for symbol in ("X", "FUTURES")
    )
    seal(one, raw_in(tmp_path / "lake"), lambda count: None)

    refuse_two_versions([one, other])
    refuse_other_version(other, raw_in(tmp_path / "lake"))
