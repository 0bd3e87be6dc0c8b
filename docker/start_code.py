"""Be the code server, and end the runs that the last one took down with it.

Runs are child processes of the code server: one that is marked as running before it starts is dead. Left alone it
would hold its pool, and so the hours behind it, for `max_runtime_seconds`. It is ended only once the daemon can
reach the new server, because the daemon tries a failed run again at once or never.
"""

import signal
import subprocess
import sys

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

ALIVE = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
PORT = 4000
# The daemon looks for code servers again every 60 s.
SEEN_WITHIN_S = 75


def runs_left_behind(instance: DagsterInstance) -> list[str]:
    """The runs that needed the process before this one; ask before a new one can start any."""
    return [run.run_id for run in instance.get_runs(RunsFilter(statuses=ALIVE))]


def end_runs(instance: DagsterInstance, run_ids: list[str]) -> None:
    """Fail these runs, or finish cancelling them; a run that has ended meanwhile stays as it is."""
    for run in instance.get_runs(RunsFilter(run_ids=run_ids, statuses=ALIVE)) if run_ids else ():
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "The code server stopped while this run was being cancelled.")
        else:
            instance.report_run_failed(run, "The code server stopped during this run.")


def has_stopped(server: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        server.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def is_serving() -> bool:
    try:
        DagsterGrpcClient(port=PORT).ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


def main(module: str) -> int:
    """Serve until told to stop; returns the server's exit code."""
    with DagsterInstance.get() as instance:
        left = runs_left_behind(instance)
        where = ["--host", "0.0.0.0", "--port", str(PORT), "--location-name", "barograph"]
        server = subprocess.Popen(["dagster", "code-server", "start", *where, "--module-name", module])
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        while not is_serving():
            if has_stopped(server, within_s=1):
                return server.returncode
        if left and not has_stopped(server, within_s=SEEN_WITHIN_S):
            end_runs(instance, left)
            sys.stdout.write(f"ended {len(left)} runs that the last code server left behind: {', '.join(left)}\n")
            sys.stdout.flush()
    return server.wait()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: start_code.py MODULE")
    sys.exit(main(sys.argv[1]))
