"""The house rules of the models, executed against dbt's manifest and a warehouse that dbt built."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.lake import Lake
from ingestion.storage import Store
from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES
from orchestration.warehouse import STAGED, stage

PROJECT = Path(DBT_PROJECT.project_dir)
MODELS = sorted((PROJECT / "models").rglob("*.sql"))
LAYERS = {
    "staging": r"stg_[a-z0-9_]+",
    "intermediate": r"int_[a-z0-9_]+",
    "facts": r"(fct|dim)_[a-z0-9_]+",
    "marts": r"mart_[a-z0-9_]+_(hourly|daily)",
}
# What each layer may read; a seed is open to all but staging.
MAY_READ = {
    "staging": {"staging", "source"},
    "intermediate": {"staging", "intermediate", "facts", "seed"},
    "facts": {"staging", "intermediate", "seed"},
    "marts": {"intermediate", "facts", "marts", "seed"},
}
UNITS = (
    *("_ts", "_date", "_hour", "_px", "_qty", "_base", "_usd", "_bps", "_frac", "_ann", "_per_hour", "_per_usd"),
    *("_z", "_s", "_ms", "_days", "_count", "_index", "_id", "_gwei"),
)
# Names, and the numbers that no suffix fits; each says its unit in its description.
WORDS = {
    *("venue", "kind", "symbol", "underlying", "asset", "dataset", "quote_asset", "settle_asset", "option_type"),
    "book_side",
    *("reference_venue", "reference_kind", "reference_symbol", "derivative_px_source", "funding_interval_source"),
    *("amount_unit", "terms_source", "status", "broken_rules", "reason", "quality_grade", "definition_version"),
    *("lowest_venue", "highest_venue", "near_symbol", "far_symbol", "metric", "positioning", "pressure_regime"),
    *("arbitrage_kind", "buy_venue", "buy_kind", "buy_symbol", "sell_venue", "sell_kind", "sell_symbol", "via_symbol"),
    *("contract_size", "quote_rate", "days_to_expiry", "years_to_expiry", "log_moneyness"),
    *("forward_source", "mark_iv_source", "bid_iv_reason", "mid_iv_reason", "ask_iv_reason", "mark_iv_reason"),
    *("fit_reason", "svi_a", "svi_b", "svi_rho", "svi_m", "svi_sigma"),
    *("evidence", "error_unit", "stated_p50", "error_mean", "error_p50", "error_p95", "error_max"),
    *("lowest_log_moneyness", "highest_log_moneyness", "least_density_log_moneyness"),
}
CONSTANTS = r"(?<![\w.])(10_?000|86_?400|3_?600|365|1e[46])(\.0)?(?![\w])"


@dataclass(frozen=True)
class Built:
    """An empty lake as dbt builds it: its manifest, and the warehouse opened for reading."""

    manifest: dict[str, Any]
    warehouse: duckdb.DuckDBPyConnection

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        nodes = self.manifest["nodes"].values()
        return {node["name"]: node for node in nodes if node["resource_type"] == "model"}

    @property
    def public(self) -> dict[str, dict[str, Any]]:
        """Facts and marts: what readers see."""
        return {name: node for name, node in self.models.items() if layer_of(node) in {"facts", "marts"}}

    def columns(self, name: str) -> list[str]:
        schema = self.models[name]["schema"]
        return [row[0] for row in self.warehouse.execute(f"describe {schema}.{name}").fetchall()]

    def grain(self, name: str) -> set[str]:
        """The columns that `unique_grain` holds to one row."""
        for node in self.manifest["nodes"].values():
            told = node.get("test_metadata") or {}
            if told.get("name") == "unique_grain" and node["attached_node"] == self.models[name]["unique_id"]:
                return {*told["kwargs"]["columns"], *told["kwargs"].get("nullable", [])}
        return set()


def layer_of(node: dict[str, Any]) -> str:
    return str(node["fqn"][1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("conventions")
    path = folder / "warehouse.duckdb"
    stage(path, Lake(Store.open(str(folder / "lake"))), [datetime(2026, 1, 2, tzinfo=UTC)])
    command = [DBT_EXECUTABLE, "--quiet", "build", "--exclude-resource-type", "test"]
    command += ["--exclude-resource-type", "unit_test", "--vars", json.dumps({"warehouse_path": str(path)})]
    command += ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    command += ["--target-path", str(folder / "target"), "--log-path", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr

    manifest = json.loads((folder / "target" / "manifest.json").read_text())
    with duckdb.connect(str(path), read_only=True) as warehouse:
        yield Built(manifest, warehouse)


def spoken(path: Path) -> str:
    """A model without its comments; what stands in quotes inside macro calls is SQL too."""
    return re.sub(r"(?s)\{#.*?#\}|--[^\n]*", "", path.read_text())


class TestNames:
    def test_models_are_named_for_their_layer(self, built: Built) -> None:
        misnamed = [n for n, node in built.models.items() if not re.fullmatch(LAYERS[layer_of(node)], n)]

        assert misnamed == []

    def test_a_staging_model_is_named_for_the_dataset_that_it_reads(self, built: Built) -> None:
        """One that reads no dataset puts together what others staged of several."""
        for name, node in built.models.items():
            sources = {key.split(".")[-1] for key in node["depends_on"]["nodes"] if key.startswith("source.")}

            assert sources <= ({name.removeprefix("stg_")} if layer_of(node) == "staging" else set()), name
            assert node["depends_on"]["nodes"], name

    def test_every_dataset_has_a_staging_model(self, built: Built) -> None:
        assert {f"stg_{dataset}" for dataset in STAGED} <= set(built.models)

    def test_terms_are_joined_in_one_place(self) -> None:
        """By the instant of the row, in macros/terms.sql: the hour alone would take a change for the whole of it."""
        own = r"join\s+(terms\b|\{\{ ref\('stg_instruments'\))"

        assert [path.stem for path in MODELS if re.search(own, spoken(path))] == []

    def test_every_source_is_staged_from_the_lake(self, built: Built) -> None:
        named = {source["name"] for source in built.manifest["sources"].values()}

        assert named <= set(STAGED)

    def test_columns_carry_their_unit(self, built: Built) -> None:
        """A number without a unit is a rumour; a boolean reads as a sentence."""
        bare = {
            (name, column)
            for name in built.public
            for column in built.columns(name)
            if not column.endswith(UNITS) and not column.startswith(("is_", "has_")) and column not in WORDS
        }

        assert bare == set()

    def test_only_booleans_are_called_is_or_has(self, built: Built) -> None:
        for name, node in built.public.items():
            for column, told in node["columns"].items():
                assert column.startswith(("is_", "has_")) == (told["data_type"] == "boolean"), (name, column)


class TestLayers:
    def test_each_layer_reads_only_what_lies_below(self, built: Built) -> None:
        nodes = built.manifest["nodes"]
        for name, node in built.models.items():
            read = {
                "source" if key.startswith("source.") else "seed" if key.startswith("seed.") else layer_of(nodes[key])
                for key in node["depends_on"]["nodes"]
            }

            assert read <= MAY_READ[layer_of(node)], name

    def test_readers_get_every_fact_and_mart(self, built: Built) -> None:
        assert {table.name for table in (*HOURLY_TABLES, *DAILY_TABLES)} == set(built.public)


class TestDescriptions:
    def test_facts_and_marts_say_what_one_row_is_and_are_held_to_it(self, built: Built) -> None:
        """The grain in the description, in the test and at publishing is one."""
        published = {table.name: set(table.order_by) for table in (*HOURLY_TABLES, *DAILY_TABLES)}
        for name, node in built.public.items():
            stated = re.search(r"One\s+row\s+per\s+\(([^)]*)\)", node["description"])
            assert stated, name
            grain = set(re.findall(r"\w+", stated[1]))

            assert grain == built.grain(name), name
            assert grain == published[name], name

    def test_columns_are_documented_exactly(self, built: Built) -> None:
        """The yml names every column that the SQL makes, in its order, and no other; each is described."""
        for name, node in built.public.items():
            assert list(node["columns"]) == built.columns(name), name
            assert [c for c, told in node["columns"].items() if not told["description"].strip()] == [], name

    def test_every_model_is_described(self, built: Built) -> None:
        """Staging and intermediate models say it in the yml or in the comment that they open with."""
        silent = [
            path.stem
            for path in MODELS
            if not built.models[path.stem]["description"] and "{#" not in path.read_text()[:200]
        ]

        assert silent == []

    def test_facts_and_marts_have_a_yml_of_their_own_name(self) -> None:
        public = [path for path in MODELS if path.parent.name in {"facts", "marts"}]

        assert [path.name for path in public if not path.with_suffix(".yml").is_file()] == []


class TestSql:
    def test_constants_of_units_stand_in_macros(self) -> None:
        """Basis points, seconds and the length of a year are each written once."""
        macros = "\n".join(path.read_text() for path in sorted((PROJECT / "macros").glob("*.sql")))
        found = {
            f"{path.stem}: {line.strip()}"
            for path in MODELS
            for line in spoken(path).splitlines()
            if re.search(CONSTANTS, line)
        }

        assert re.search(CONSTANTS, macros)
        assert found == set()

    def test_nothing_unmeasured_is_made_zero(self) -> None:
        """Only sums over what was counted, and counts, are zero where there is nothing."""
        zeroed = {
            name
            for path in MODELS
            if path.parent.name in {"facts", "marts"}
            for name in re.findall(r"coalesce\(.*?, 0\)\s+as (\w+)", spoken(path))
        }

        assert {name for name in zeroed if not name.endswith(("_count", "_usd", "_oi_base"))} == set()
