"""One hour of one venue from its server to readers, in a process of its own: `python -m tests.madeup_hour HOUR`.

Whom to ask and where to keep it comes from the environment, as in production; the clock alone is ours.
"""

import asyncio
import json
import sys
from datetime import datetime

from ingestion.hours import HOUR, parse_instant
from ingestion.transports import LiveTransport, VirtualClock
from orchestration.definitions import build_defs
from orchestration.pipeline import Pipeline
from orchestration.running import run
from orchestration.settings import Settings


def main(hour: datetime) -> None:
    """Print the venue's assets and the checks on them as JSON, once the hour is published."""
    settings = Settings.read()
    graph = build_defs(settings).resolve_asset_graph()
    assets = {key for key in graph.get_all_asset_keys() if key.path[1] in settings.venues}
    checks = {check for check in graph.asset_check_keys if check.asset_key in assets}
    pipeline = Pipeline(settings)
    pipeline.claim(pipeline.origin)
    transport = LiveTransport(clock=VirtualClock(hour), base_urls=dict(settings.base_urls))
    asyncio.run(pipeline.capture_through(transport, [hour], pipeline.pairs))
    run(settings, "rebuild", hour, hour + HOUR)
    told = {
        "assets": sorted("/".join(key.path) for key in assets),
        "checks": sorted("/".join((*check.asset_key.path, check.name)) for check in checks),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(parse_instant(sys.argv[1]))
