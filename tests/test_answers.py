"""What a command prints of the published tables is what it was asked for."""

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.published import query
from orchestration.settings import Settings
from tests.world import store_of


@pytest.mark.parametrize(
    ("span", "is_told"),
    [
        ([], True),
        (["--from", "2026-03-04T10:59"], True),
        (["--from", "2026-03-04T11:00"], False),
        (["--to", "2026-03-04T10:00"], False),
        (["--to", "2026-03-04T10:00:00.000001"], True),
        (["--from", "2026-03-04T10:30", "--to", "2026-03-04T10:31"], True),
        (["--from", "2026-03-04T13:30+03:00", "--to", "2026-03-04T13:00+02:00"], True),
        (["--from", "2026-03-03", "--to", "2026-03-04"], False),
    ],
)
def test_coverage_is_of_the_hours_that_the_span_touches_whichever_ends_it_has(
    good_hour: Settings, span: list[str], is_told: bool
) -> None:
    """Only the hour from 10:00 on 2026-03-04 is published."""
    told = CliRunner().invoke(app, ["coverage", *span, "--lake-uri", good_hour.lake_uri])

    assert told.exit_code == 0, told.output
    assert ("deribit" in told.output) == is_told


def test_an_answer_that_is_too_wide_stands_on_end_and_loses_no_letter(
    good_hour: Settings,
) -> None:
    """A table of 24 columns was cut to a letter or two of each."""
    statement = "select * from fct_basis order by all limit 9"
    names = query(store_of(good_hour), statement).columns

    told = CliRunner().invoke(app, ["sql", statement, "--lake-uri", good_hour.lake_uri]).output

    assert [name for name in names if name not in told] == []
    assert "…" not in told
    assert max(map(len, told.splitlines())) <= 200
