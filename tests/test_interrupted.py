"""`barograph run` in a process of its own ends when it is told to, at once and in words."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

WITHIN_S = 60.0  # before the sweep's own deadline, and before a question is asked again


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_waits_for_a_venue_ends_with_the_signal(tmp_path: Path, number: signal.Signals) -> None:
    """A server in the place of all venues takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WITHIN_S)
        settings = {
            "DAGSTER_HOME": "",
            "BAROGRAPH_SOURCE": "live",
            "BAROGRAPH_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "BAROGRAPH_VENUES": "binance_spot",
            "BAROGRAPH_LAKE_URI": tmp_path.as_uri() + "/lake",
            "BAROGRAPH_WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
        }
        command = [str(Path(sys.executable).with_name("barograph")), "run"]
        command += ["--from", "2026-03-04T10:00", "--to", "2026-03-04T11:00"]
        with subprocess.Popen(
            command,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                connection, _ = server.accept()
                process.send_signal(number)
                output, _ = process.communicate(timeout=WITHIN_S)
            finally:
                process.kill()
            connection.close()

    assert process.returncode == 1
    assert "interrupted; readers keep what was published, and a new run begins the hours anew" in output
    assert not list((tmp_path / "lake").rglob("*.zst"))
