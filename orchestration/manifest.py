"""dbt's manifest, made when the project has changed: without it the dbt assets cannot be defined."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster_dbt import DbtProject

from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT

PARTIAL = "partial_parse.msgpack"  # what dbt has parsed, by which it parses again what has changed


def ensure_manifest(project: DbtProject = DBT_PROJECT) -> None:
    """Parse the dbt project if its manifest is missing or older than its files; raises RuntimeError."""
    manifest, root = Path(project.manifest_path), Path(project.project_dir)
    sources = [path for folder in ("models", "macros", "seeds", "tests") for path in (root / folder).rglob("*")]
    sources = [path for path in sources if path.is_file()] + [root / "dbt_project.yml"]
    if manifest.is_file() and manifest.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return
    manifest.parent.mkdir(parents=True, exist_ok=True)
    # Aside and then at once: whoever starts beside us, or after us if we are killed, reads a whole manifest.
    with TemporaryDirectory(dir=manifest.parent) as aside:
        if (known := manifest.parent / PARTIAL).is_file():
            shutil.copy2(known, aside)
        command = [DBT_EXECUTABLE, "--quiet", "parse", "--project-dir", str(root)]
        done = subprocess.run(  # noqa: S603 (our own interpreter and project)
            [*command, "--profiles-dir", str(project.profiles_dir), "--target-path", aside],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"dbt parse failed: {(done.stdout + done.stderr).strip()[-2000:]}")
        for made in (Path(aside) / name for name in (PARTIAL, manifest.name)):
            made.replace(manifest.parent / made.name)
