"""dbt's manifest is whole or not there, however many make it at once and whatever becomes of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dagster_dbt import DbtProject

from orchestration.manifest import ensure_manifest

FILES = {
    "dbt_project.yml": "{name: toy, version: 1.0.0, profile: toy}",
    "profiles.yml": "toy: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}",
    "models/one.sql": "select 1 as one",
}


@pytest.fixture
def project(tmp_path: Path) -> DbtProject:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return DbtProject(project_dir=tmp_path, profiles_dir=tmp_path)


def models(project: DbtProject) -> set[str]:
    return set(json.loads(Path(project.manifest_path).read_text())["nodes"])


def test_who_reads_while_others_make_it_reads_a_whole_one(project: DbtProject) -> None:
    with ThreadPoolExecutor() as pool:
        making = [pool.submit(ensure_manifest, project) for _ in range(2)]
        while not all(each.done() for each in making):
            if Path(project.manifest_path).exists():
                assert models(project) == {"model.toy.one"}
        for each in making:
            each.result()

    assert models(project) == {"model.toy.one"}
    assert {path.name for path in Path(project.manifest_path).parent.iterdir()} == {
        "manifest.json",
        "partial_parse.msgpack",
    }


def test_a_change_is_seen_and_without_one_nothing_is_parsed(project: DbtProject) -> None:
    ensure_manifest(project)
    made = Path(project.manifest_path).stat().st_mtime_ns
    ensure_manifest(project)
    assert Path(project.manifest_path).stat().st_mtime_ns == made

    (Path(project.project_dir) / "models" / "two.sql").write_text("select 2 as two")
    ensure_manifest(project)
    assert models(project) == {"model.toy.one", "model.toy.two"}


def test_a_project_that_cannot_be_parsed_keeps_the_last_manifest(project: DbtProject) -> None:
    ensure_manifest(project)
    (Path(project.project_dir) / "models" / "two.sql").write_text("select {{ ref(")

    with pytest.raises(RuntimeError, match="dbt parse failed"):
        ensure_manifest(project)
    assert models(project) == {"model.toy.one"}
