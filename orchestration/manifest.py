"""dbt's manifest, made when the project has changed: without it the dbt assets cannot be defined."""

import subprocess
from pathlib import Path

from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT


def ensure_manifest() -> None:
    """Parse the dbt project if its manifest is missing or older than its files; raises RuntimeError."""
    manifest = Path(DBT_PROJECT.manifest_path)
    sources = [path for folder in ("models", "macros", "seeds", "tests") for path in _files(folder)]
    sources += [Path(DBT_PROJECT.project_dir) / "dbt_project.yml"]
    if manifest.is_file() and manifest.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return
    command = [DBT_EXECUTABLE, "--quiet", "parse", "--project-dir", str(DBT_PROJECT.project_dir)]
    done = subprocess.run(  # noqa: S603 (our own interpreter and project)
        [*command, "--profiles-dir", str(DBT_PROJECT.profiles_dir), "--target-path", str(manifest.parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"dbt parse failed: {(done.stdout + done.stderr).strip()[-2000:]}")


def _files(folder: str) -> list[Path]:
    return [path for path in (Path(DBT_PROJECT.project_dir) / folder).rglob("*") if path.is_file()]
