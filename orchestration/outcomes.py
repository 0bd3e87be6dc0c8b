"""How a run ended. Apart from what runs it, so that who only reads need not load Dagster."""

from collections.abc import Mapping
from dataclasses import dataclass


class RunFailed(RuntimeError):
    """A job stopped; the message is the first step's own reason, in a line."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run did: materialised assets and the warnings of its checks."""

    job: str
    materialized_count: int
    step_seconds: Mapping[str, float]
    warnings: tuple[str, ...]
