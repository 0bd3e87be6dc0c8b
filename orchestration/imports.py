"""Vendors' files into raw: each is held to what it says before anything of any of them is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ingestion.imports.archives import BadFile, SourceFile, check
from ingestion.imports.sealing import refuse_other_version, refuse_two_versions, seal
from ingestion.venues import VENUES
from orchestration.pipeline import Pipeline

Told = Callable[[int], None]


@dataclass
class Brought:
    """What the files held, and the hours that they touch."""

    files: list[tuple[str, str, int]] = field(default_factory=list)  # name, venue, lines
    hours: set[datetime] = field(default_factory=set)

    @property
    def venues(self) -> tuple[str, ...]:
        return tuple(sorted({venue for _, venue, _ in self.files}))


def bring(
    pipeline: Pipeline, files: Sequence[tuple[Path, SourceFile]], console: Console, *, needs_checksum: bool = True
) -> Brought:
    """Seal these files into raw; raises `BadFile`, and then nothing of any of them was kept.

    What was sealed before is left as it is, so that a killed import is resumed by asking for it again.
    """
    for path, source in files:
        if source.venue not in VENUES:
            raise BadFile(f"{path.name}: of {source.venue}, which no adapter knows")
    with _bar(console, "checking", files) as told:
        archives = [check(path, source, told, needs_checksum=needs_checksum) for path, source in files]
    refuse_two_versions(archives)
    pipeline.claim("venues")
    for archive in archives:
        refuse_other_version(archive, pipeline.raw)
    brought = Brought()
    with _bar(console, "sealing", files) as told:
        for archive in archives:
            sealed = seal(archive, pipeline.raw, told)
            brought.files.append((archive.local.name, archive.source.venue, sealed.lines_count))
            brought.hours |= sealed.hours
    return brought


@contextmanager
def _bar(console: Console, what: str, files: Sequence[tuple[Path, SourceFile]]) -> Iterator[Told]:
    """Bytes of the files that are behind us, of all; the callback adds to them."""
    total = sum(path.stat().st_size for path, _ in files if path.is_file())
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{what} {len(files)} files of {decimal(total)}", total=total)
        yield lambda count: progress.update(task, advance=count)
