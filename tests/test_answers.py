"""What a command prints of the published tables is what it was asked for."""

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.settings import Settings


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
