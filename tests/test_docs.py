"""The documentation, held against the code: its links, tables, columns, settings, commands and messages exist."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from ingestion.gate.hours import RULES
from ingestion.gate.profile import HourProfile
from ingestion.ingest import COVERAGE_SCHEMA
from ingestion.records import DATASETS
from ingestion.sandbox.faults import KINDS
from ingestion.venues import VENUES
from orchestration.cli import app
from orchestration.settings import SIMULATED, Settings
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
METRICS = [ROOT / "docs" / "metrics.md", *sorted((ROOT / "docs" / "metrics").glob("*.md"))]
OPERATING = ROOT / "docs" / "operating.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "docker" / "README.md"]
CODE = [
    path
    for folder in ("ingestion", "orchestration", "dbt_project", "docker")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".sql", ".yml", ".yaml", ".csv"} and "target" not in path.parts
]
PUBLISHED = {table.name for table in (*HOURLY_TABLES, *DAILY_TABLES)}
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
# Words of the pages of metrics in code quotes that name no column: seeds and parameters.
PROJECT = ROOT / "dbt_project"
OTHER_WORDS = {
    *yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"],
    *(path.stem for path in (PROJECT / "seeds").glob("*.csv")),
    *(name for path in (PROJECT / "seeds").glob("*.csv") for name in path.read_text().splitlines()[0].split(",")),
}
VALUES_OF_COLUMNS = {
    *("no_quote", "no_forward", "below_intrinsic", "above_max", "above_range", "venue_earlier", "too_few_strikes"),
    *("new_longs", "new_shorts", "long_unwinding", "short_covering", "mark_iv"),
    *("coin_per_usd", "usd_per_point", "usd_per_day"),
}
VALUES = {"contracts", "base", "usd", "listed", "documented", "index", "spot", "mid", "mark", "ok", "gap", "held"}


def described() -> dict[str, list[str]]:
    """Columns by published table, as the yml beside each model names them."""
    tables = {}
    for path in sorted((ROOT / "dbt_project" / "models").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            if model["name"] in PUBLISHED:
                tables[model["name"]] = [column["name"] for column in model["columns"]]
    return tables


def sections(page: Path) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"(?m)^## (.+)$", page.read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", page.read_text())}


def quoted(text: str) -> set[str]:
    """Everything in code quotes on one line."""
    return set(re.findall(r"`([^`\n]+)`", text))


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_lead_to_a_file_and_a_heading_in_it(self, page: Path) -> None:
        broken = []
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, heading = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists() or (heading and heading not in anchors(file)):
                broken.append(target)

        assert broken == []

    def test_models_name_a_section_of_the_metrics(self) -> None:
        pattern = r"(docs/metrics(?:/\w+)?\.md)#([\w-]+)"
        named = {name for path in CODE for name in re.findall(pattern, path.read_text())}

        assert named
        assert named <= {(str(page.relative_to(ROOT)), name) for page in METRICS for name in anchors(page)}

    def test_every_page_can_be_reached_from_the_readme(self) -> None:
        linked = set(re.findall(r"\]\(([^)#\s]+)\)", README.read_text()))

        for page in [page for page in PAGES if page != README]:
            name = str(page.relative_to(ROOT))
            assert name in linked or any(f.endswith("/") and name.startswith(f) for f in linked), name


class TestMetrics:
    def test_the_readme_names_every_mart(self) -> None:
        marts = {table.name for table in (*HOURLY_TABLES, *DAILY_TABLES) if table.schema == "marts"}

        assert quoted(README.read_text()) >= marts

    def test_the_first_page_names_every_published_table(self) -> None:
        assert quoted(METRICS[0].read_text()) >= PUBLISHED

    def test_each_section_tells_every_column_of_its_table(self) -> None:
        """A table belongs to the section whose text begins with its name."""
        told = {}
        for text in (text for page in METRICS for text in sections(page).values()):
            opening = text.strip().splitlines()[0]
            for table in quoted(opening) & PUBLISHED:
                told[table] = quoted(text)

        assert told.keys() == PUBLISHED
        for table, columns in described().items():
            assert set(columns) <= told[table], table

    def test_no_column_is_told_that_does_not_exist(self) -> None:
        """A word in code quotes with an underscore is a column, a table, a venue, or one of the few listed here."""
        columns = {column for names in described().values() for column in names}
        known = columns | PUBLISHED | set(VENUES) | set(DATASETS) | OTHER_WORDS | VALUES_OF_COLUMNS | VALUES
        spoken = {word for page in METRICS for word in quoted(page.read_text())}
        words = {word for word in spoken if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", word)}

        assert words - known - {"known_at", "published_partitions"} == set()

    def test_the_worked_hour_of_coverage_has_the_cells_of_the_demonstration(self) -> None:
        told = re.search(r"Hour 02:00 has (\d+) cells; .*: ([\d.]+) / (\d+) = ([\d.]+),", METRICS[0].read_text())
        cells = sum(len(VENUES[name].expected) for name in SIMULATED)

        assert told
        assert (int(told[1]), float(told[2]), int(told[3])) == (cells, cells - 0.25, cells)
        assert float(told[4]) == round((cells - 0.25) / cells, 4)

    def test_the_weights_are_those_of_the_seed(self) -> None:
        lines = (ROOT / "dbt_project" / "seeds" / "pressure_weights.csv").read_text().splitlines()[1:]
        weights = {family: float(weight) for _, family, _, weight, *_ in (line.split(",") for line in lines)}
        told = re.search(r"Weights of version 1: (.+)\.\n", METRICS[0].read_text())

        assert told
        assert dict(re.findall(r"(\w+) ([\d.]+)", told[1])) == {f: f"{w:g}" for f, w in weights.items()}


class TestOperating:
    def test_every_setting_is_told_and_no_other(self) -> None:
        pattern = r"\bBAROGRAPH_[A-Z0-9_]+\b"
        files = [*CODE, ROOT / "tests" / "conftest.py", ROOT / "docker" / ".env.example"]
        read = {name for path in files for name in re.findall(pattern, path.read_text())}

        assert set(re.findall(pattern, OPERATING.read_text())) == read

    def test_aws_settings_are_told(self) -> None:
        read = {name for path in CODE for name in re.findall(r"\bAWS_[A-Z_]+\b", path.read_text())}

        assert read <= set(re.findall(r"\bAWS_[A-Z_]+\b", OPERATING.read_text()))

    def test_defaults_are_those_of_the_code(self) -> None:
        default = Settings()
        rows = dict(re.findall(r"(?m)^\| `(BAROGRAPH_\w+)` \| ([^|]+?) \|", OPERATING.read_text()))

        assert rows["BAROGRAPH_SOURCE"].strip("`") == default.source
        assert rows["BAROGRAPH_UNDERLYINGS"].strip("`") == ",".join(default.underlyings)
        assert rows["BAROGRAPH_SWEEP_MINUTES"] == str(default.sweep_minutes)
        assert float(rows["BAROGRAPH_BOOK_EVERY_S"]) == default.book_every_s
        assert rows["BAROGRAPH_BOOK_LEVELS"] == str(default.book_levels)
        assert rows["BAROGRAPH_SANDBOX_SEED"] == str(default.sandbox_seed)
        assert str(default.warehouse_path).endswith(rows["BAROGRAPH_WAREHOUSE_PATH"].strip("`"))

    def test_messages_of_the_troubleshooting_stand_in_the_code(self) -> None:
        """A message that was reworded would be searched for in vain."""
        source = "\n".join(path.read_text() for path in CODE)
        told = re.findall(r"(?m)^\| `([^`]+)` \|", sections(OPERATING)["Troubleshooting"])

        assert told
        assert [message for message in told if message not in source] == []

    def test_kinds_of_faults_are_all_told(self) -> None:
        [told] = re.findall(r"(?m)^Kinds: (.+)\.$", OPERATING.read_text())

        assert quoted(told) == set(KINDS)

    def test_hour_rules_and_coverage_speak_of_measured_numbers(self) -> None:
        """What the pages call a rule is a number of the profile; what they call coverage is a column of it."""
        fields = set(HourProfile.__dataclass_fields__)

        assert {rule.id for rule in RULES} <= fields
        assert set(described()["fct_data_coverage"]) - {"is_usable"} == set(COVERAGE_SCHEMA.names)


class TestCommands:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_that_are_told_exist_with_their_options(self, page: Path) -> None:
        told = re.findall(r"(?m)(?:^ {4}|/|`|=\S+ )barograph ([a-z]+)\b([^`\n#]*)", page.read_text())
        for command, rest in told:
            assert command in COMMANDS, command
            found = [COMMANDS[command], *getattr(COMMANDS[command], "commands", {}).values()]  # `import` has commands
            options = {option for each in found for parameter in each.params for option in parameter.opts}
            assert set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest)) <= options, (command, rest)

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_modules_are_run_by_the_environments_own_python(self, page: Path) -> None:
        """By another they fail, and a page that they were to write anew is empty."""
        assert (
            re.findall(r"(?<!\.venv/bin/)\bpython -m ingestion\S*|(?<!/bin/)\bpython -m tests\S*", page.read_text())
            == []
        )

    def test_all_are_told(self) -> None:
        told = set(re.findall(r"barograph ([a-z]+)", "".join(page.read_text() for page in PAGES)))

        assert set(COMMANDS) <= told

    def test_make_targets_that_are_told_exist(self) -> None:
        targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
        told = {name for page in PAGES for name in re.findall(r"(?m)(?:^ {4}|`)make ([a-z]+)", page.read_text())}

        assert told
        assert told <= targets


class TestDecisions:
    def test_are_numbered_without_a_hole_and_titled_by_their_number(self) -> None:
        numbers = [int(path.name[:4]) for path in DECISIONS]
        titles = [path.read_text().splitlines()[0] for path in DECISIONS]

        assert numbers == list(range(1, len(DECISIONS) + 1))
        assert all(title.startswith(f"# {number}. ") for number, title in zip(numbers, titles, strict=True))

    def test_are_half_a_page(self) -> None:
        assert [path.name for path in DECISIONS if len(path.read_text().splitlines()) > 30] == []
