"""`dagster dev` starts, shows its pages in a browser, and its daemon's tick launches an hourly run that succeeds.

The next tick of the cron may be an hour away. So the schedule is on before the daemon starts, as it is after a
restart: on since just before the last tick, which the daemon, by its own clock, finds due.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import dagster as dg
import httpx
import pytest
from dagster._core.scheduler.instigation import ScheduleInstigatorData

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
READY_WITHIN_S = 120
RUN_WITHIN_S = 150
SCHEDULE = "after_the_hour"
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "barograph"}

T = TypeVar("T")


class Dev(NamedTuple):
    """A running `dagster dev`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    folder: Path
    tick: datetime  # the last of the schedule before it was started

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        reply = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60, trust_env=False
        )
        answer = reply.json()
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def until(self, look: Callable[[], T | None], seconds: float, what: str) -> T:
        """Look until there is something to see; fails with the server's own words."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            found = look()
            if found is not None:
                return found
            try:
                self.process.wait(0.25)
            except subprocess.TimeoutExpired:
                continue
            break
        pytest.fail(f"{what}, after {seconds} s\n{self.log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("dev")
    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")} | {
        "DAGSTER_HOME": str(folder / "home"),
        "BAROGRAPH_LAKE_URI": f"file://{folder / 'lake'}",
        "BAROGRAPH_WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "BAROGRAPH_SOURCE": "sandbox",
        "BAROGRAPH_SWEEP_MINUTES": "30",
        "BAROGRAPH_VENUES": "binance_spot,deribit",
    }
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = ["-w", str(ROOT / "workspace.yaml")]
    subprocess.run(
        [dagster, "schedule", "start", *workspace, SCHEDULE], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    tick = (datetime.now(UTC) - timedelta(minutes=5)).replace(minute=5, second=0, microsecond=0)
    on_since(tick - timedelta(minutes=1), folder / "home")
    log = folder / "dev.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [dagster, "dev", *workspace, "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children are ended with it
        )
    try:
        started = Dev(f"http://127.0.0.1:{port}", process, log, folder, tick)
        started.until(lambda: loaded(started), READY_WITHIN_S, "the code location did not load")
        yield started
    finally:
        end(process)


def on_since(moment: datetime, home: Path) -> None:
    """Leave in Dagster's storage what it would hold had the schedule been turned on at this moment."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        [state] = instance.all_instigator_state()
        assert isinstance(state.instigator_data, ScheduleInstigatorData)
        on = ScheduleInstigatorData(state.instigator_data.cron_schedule, moment.timestamp())
        instance.update_instigator_state(state.with_data(on))


def loaded(dev: Dev) -> bool | None:
    """Whether the server answers and has loaded the definitions."""
    try:
        found = dev.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
    except httpx.TransportError:
        return None  # not listening yet
    entries = found["workspaceOrError"].get("locationEntries") or []
    return True if [entry["loadStatus"] for entry in entries] == ["LOADED"] else None


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the group to stop, as Ctrl-C does; end what does not."""
    for number, patience_s in ((signal.SIGINT, 20), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break
    assert process.poll() is not None


def test_the_definitions_load_without_an_error(dev: Dev) -> None:
    found = dev.ask(
        "query ($repository: RepositorySelector!) { repositoryOrError(repositorySelector: $repository) {"
        " __typename ... on Repository { jobs { name } schedules { name } } } }",
        repository=LOCATION,
    )["repositoryOrError"]

    assert {job["name"] for job in found["jobs"]} >= {"sweep", "hourly", "rebuild", "daily"}
    assert {each["name"] for each in found["schedules"]} == {"every_five_minutes", "after_the_hour", "after_the_close"}


def test_the_page_shows_the_jobs_and_says_what_a_fact_is_in_a_browser(dev: Dev) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*switches, "--disable-dev-shm-usage"])
        try:
            page = browser.new_page()
            broken: list[str] = []
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(f"{dev.url}/jobs", wait_until="domcontentloaded", timeout=60_000)
            for job in ("hourly", "daily", "rebuild", "sweep"):
                page.get_by_text(job, exact=True).first.wait_for(timeout=30_000)
            page.goto(f"{dev.url}/assets/facts/fct_order_book_imbalance", wait_until="domcontentloaded", timeout=60_000)
            page.get_by_text("Signed imbalance of resting depth").first.wait_for(timeout=30_000)
        finally:
            browser.close()

    assert broken == []


def test_a_tick_of_the_hourly_schedule_launches_a_run_that_succeeds(dev: Dev) -> None:
    run = dev.until(lambda: finished(dev), RUN_WITHIN_S, "no run of the schedule finished")
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}

    assert run["status"] == "SUCCESS", errors_of(dev, run["runId"])
    assert run["jobName"] == "hourly"
    assert tags["dagster/schedule_name"] == SCHEDULE  # the daemon's mark
    # The next tick may have come while it started.
    closed = [dev.tick.replace(minute=0) + timedelta(hours=hours) for hours in (-1, 0)]
    [hour] = [hour for hour in closed if tags["dagster/partition"] == f"{hour:%Y-%m-%d-%H:00}"]
    assert json.loads((dev.folder / "lake" / "published" / "CURRENT").read_text())["version"] == 1
    assert (dev.folder / f"lake/lake/coverage/venue=deribit/date={hour:%Y-%m-%d}/hour={hour:%H}.parquet").is_file()


def finished(dev: Dev) -> dict[str, Any] | None:
    """The first run of this instance, once it has ended."""
    runs = dev.ask("{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }")
    first: dict[str, Any] = next(reversed(runs["runsOrError"]["results"]), {})
    return first if first.get("status") in {"SUCCESS", "FAILURE", "CANCELED"} else None


def errors_of(dev: Dev, run_id: str) -> list[str]:
    found = dev.ask(
        "query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {"
        " ... on ExecutionStepFailureEvent { stepKey error { message } }"
        " ... on RunFailureEvent { message } } } } }",
        id=run_id,
    )["logsForRun"]
    return [str(event) for event in found["events"] if event]


def test_it_listens_on_loopback_alone(dev: Dev) -> None:
    """Its page has no login."""
    listening = {address for pid in group_of(dev.process.pid) for address in listeners_of(pid)}

    assert dev.url.removeprefix("http://") in listening
    assert {address.rpartition(":")[0] for address in listening} == {"127.0.0.1"}


def group_of(leader: int) -> list[int]:
    """Every process of the session that `leader` leads."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[3]) == leader:
            found.append(int(stat.parent.name))
    return found


def listeners_of(pid: int) -> Iterator[str]:
    """Addresses that a process listens on, from the kernel's own tables."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            held.add(str(link.readlink()))
        except OSError:
            continue  # closed meanwhile
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in held:
                host, _, port = fields[1].partition(":")
                address = socket.inet_ntoa(bytes.fromhex(host)[::-1]) if table == "tcp" else host
                yield f"{address}:{int(port, 16)}"
