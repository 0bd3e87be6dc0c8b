"""An instant falls into one hour, and an hour is spelled one way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingestion.hours import day_and_hour, hour_of, hours_between, parse_instant

EIGHT = datetime(2024, 1, 14, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        (datetime(2024, 1, 14, 20, 0, 0, 0, tzinfo=UTC), EIGHT),
        (datetime(2024, 1, 14, 20, 59, 59, 999_999, tzinfo=UTC), EIGHT),
        (datetime(2024, 1, 15, 0, 30, tzinfo=timezone(timedelta(hours=4))), EIGHT),
        (datetime(2024, 1, 15, 1, 45, tzinfo=timezone(timedelta(hours=5, minutes=30))), EIGHT),
    ],
)
def test_an_instant_belongs_to_the_utc_hour_that_holds_it(at: datetime, hour: datetime) -> None:
    assert hour_of(at) == hour
    assert hour_of(at).tzinfo is UTC


def test_an_instant_without_a_zone_has_no_hour() -> None:
    with pytest.raises(ValueError, match=r"2024-01-14T20:00:00: expected an instant with a time zone"):
        hour_of(datetime(2024, 1, 14, 20))  # noqa: DTZ001 - the point


def test_a_span_has_every_hour_that_it_touches_and_not_the_one_it_ends_on() -> None:
    def at(minutes: int) -> datetime:
        return EIGHT + timedelta(minutes=minutes)

    assert hours_between(at(0), at(60)) == [at(0)]
    assert hours_between(at(30), at(61)) == [at(0), at(60)]
    assert hours_between(at(0), at(0)) == []
    assert hours_between(at(60), at(0)) == []
    assert len(hours_between(EIGHT, EIGHT + timedelta(days=366))) == 366 * 24


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-01-14T20:00Z", EIGHT),
        ("2024-01-14T20Z", EIGHT),
        ("2024-01-14 20:00", EIGHT),
        ("2024-01-14T20:00:00.000001", EIGHT + timedelta(microseconds=1)),
        ("2024-01-14T23:00+03:00", EIGHT),
        ("2024-01-14", EIGHT.replace(hour=0)),
        (" 2024-01-14 ", EIGHT.replace(hour=0)),
    ],
)
def test_an_instant_is_read_as_utc_unless_it_says_otherwise(text: str, at: datetime) -> None:
    assert parse_instant(text) == at
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-13-01", "2024-02-30", "14/01/2024", "2024-W03", "20240114", "2024-01-14T25:00Z",
     "1705262400", "2024-01-14T20:00:00.0000001Z", "0001-01-01T00:00+03:00", "２０２４-01-14"],
)  # fmt: skip
def test_what_is_no_instant_is_refused_with_its_text_and_the_expected_form(text: str) -> None:
    with pytest.raises(ValueError, match="expected a UTC instant such as 2024-01-14T20:00Z") as caught:
        parse_instant(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_spells_a_whole_utc_hour_and_nothing_else() -> None:
    assert day_and_hour(EIGHT) == ("2024-01-14", "20")
    assert day_and_hour(EIGHT.astimezone(timezone(timedelta(hours=4)))) == ("2024-01-14", "20")
    with pytest.raises(ValueError, match="expected a whole UTC hour"):
        day_and_hour(EIGHT + timedelta(minutes=1))
