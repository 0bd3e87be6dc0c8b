"""A store keeps objects whole, contained and, where asked, written once; on disk and on S3 alike."""

import errno
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingestion.storage import Missing, StorageError, Store
from tests.s3 import Fault, S3StoreEnv, unreliable

ROOT = Path(__file__).parents[1]

HOSTILE = [
    "../x", "a/../../x", "a/..", "..", ".", "a/./b", "/etc/passwd", "//x", "a//b", "a/", "", "a\x00b", "a\nb",
    "a\x7fb", "..\\x", "a\\..\\b", "a/../b", "./a",
]  # fmt: skip


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store of either kind."""
    if request.param == "disk":
        return Store.open(str(tmp_path / "lake"))
    return s3_store(request.getfixturevalue("s3_store_env"), monkeypatch)


def s3_store(env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch, **changed: str) -> Store:
    for name, value in {**env.variables, **changed}.items():
        monkeypatch.setenv(name, value)
    return Store.open(f"s3://{env.bucket}/{uuid.uuid4().hex}")


class TestEveryStore:
    def test_gives_back_what_was_put(self, store: Store) -> None:
        content = bytes(range(256)) * 4096
        store.put("raw/okx/books/a b=c.zst", content)
        store.put("raw/empty", b"")

        assert store.read("raw/okx/books/a b=c.zst") == content
        assert store.read("raw/empty") == b""
        assert store.size("raw/okx/books/a b=c.zst") == len(content)
        with store.open_read("raw/okx/books/a b=c.zst") as stream:
            assert stream.read(4) == content[:4]
            stream.seek(0)
            assert stream.read() == content

    def test_an_absent_object_is_missing_by_name(self, store: Store) -> None:
        assert not store.exists("a/b")
        for ask in (store.read, store.open_read, store.size):
            with pytest.raises(Missing, match=r"a/b: does not exist \(expected an object\)"):
                ask("a/b")
        store.delete("a/b")  # gone already is as good as gone

    def test_put_replaces_and_put_new_never_does(self, store: Store) -> None:
        store.put("k", b"one")
        store.put("k", b"two")
        assert store.read("k") == b"two"

        assert store.put_new("k", b"three") is False
        assert store.read("k") == b"two"
        store.delete("k")
        assert store.put_new("k", b"four") is True
        assert store.put_new("k", b"four") is False
        assert store.read("k") == b"four"

    def test_lists_keys_by_their_beginning_in_order(self, store: Store) -> None:
        for key in ("a/2", "a/10", "ab/1", "a/b/c", "b"):
            store.put(key, b"x")

        assert store.list("") == ["a/10", "a/2", "a/b/c", "ab/1", "b"]
        assert store.list("a/") == ["a/10", "a/2", "a/b/c"]
        assert store.list("a") == ["a/10", "a/2", "a/b/c", "ab/1"]
        assert store.list("a/1") == ["a/10"]
        assert store.list("nothing/here/") == []
        assert store.folders("") == ["a", "ab"]
        assert store.folders("a/") == store.folders("a") == ["b"]
        assert store.folders("nothing/") == []

    @pytest.mark.parametrize("key", HOSTILE)
    def test_no_key_leads_out_of_the_store(self, store: Store, key: str) -> None:
        for ask in (store.read, store.open_read, store.exists, store.size, store.delete, store.uri):
            with pytest.raises(StorageError, match="key "):
                ask(key)
        for write in (store.put, store.put_new):
            with pytest.raises(StorageError, match="key "):
                write(key, b"x")
        if key not in {"", "a/"}:
            with pytest.raises(StorageError, match="key "):
                store.list(key)
        assert store.list("") == []

    def test_of_24_who_create_one_key_exactly_one_does(self, store: Store) -> None:
        with ThreadPoolExecutor(24) as pool:
            won = list(pool.map(lambda n: store.put_new("race", b"%d" % n), range(24)))

        assert won.count(True) == 1
        assert store.read("race") == b"%d" % won.index(True)

    def test_readers_of_a_replaced_object_see_one_version_whole(self, store: Store) -> None:
        versions = [bytes([n]) * 200_000 for n in range(12)]
        store.put("k", versions[0])
        with ThreadPoolExecutor(4) as pool:
            reads = [pool.submit(store.read, "k") for _ in range(40)]
            for version in versions:
                store.put("k", version)
        assert {read.result() for read in reads} <= set(versions)

    def test_more_than_a_page_of_keys_is_listed_whole(self, store: Store) -> None:
        keys = [f"many/{n:04}" for n in range(1_100)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: store.put(key, b""), keys))
        assert store.list("many/") == keys

    def test_a_usable_store_passes_its_check(self, store: Store) -> None:
        store.check()
        assert store.list("") == []


class TestADisk:
    def test_addresses_are_absolute_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for uri in (f"file://{tmp_path}/my%20lake", f"{tmp_path}/my lake", "my lake"):
            opened = Store.open(uri)
            assert opened.uri("a/b") == f"{tmp_path}/my lake/a/b"
            assert not opened.is_s3

    @pytest.mark.parametrize("uri", ["", "gs://b/x", "http://x", "file://host/x", "file://x", "s3://", "s3:///x"])
    def test_another_kind_of_address_is_refused(self, uri: str) -> None:
        with pytest.raises(StorageError, match="expected"):
            Store.open(uri)

    def test_a_writer_killed_before_its_rename_leaves_the_old_object(self, tmp_path: Path) -> None:
        """What such a writer leaves is a partial file, which nobody lists and no key can name."""
        store = Store.open(str(tmp_path))
        store.put("a/k", b"old")
        partial = tmp_path / "a" / ".0123456789abcdef.partial"
        partial.write_bytes(b"ne")

        assert store.read("a/k") == b"old"
        assert store.list("") == ["a/k"]
        with pytest.raises(StorageError, match="partial"):
            store.read("a/.0123456789abcdef.partial")
        store.put("a/k", b"new")
        assert store.put_new("a/l", b"next") is True
        assert store.list("") == ["a/k", "a/l"]

    def test_a_full_disk_is_named_and_the_old_object_stays(self, tmp_path: Path) -> None:
        """A limit on file sizes stands in for a disk without space."""
        Store.open(str(tmp_path)).put("k", b"old")
        said = in_child(
            "import resource, signal",
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))",
            f"Store.open({str(tmp_path)!r}).put('k', b'x' * 4096)",
        )

        assert said == f"{tmp_path}/k: {os.strerror(errno.EFBIG)}"
        assert Store.open(str(tmp_path)).read("k") == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["k"]

    def test_an_unwritable_folder_fails_its_check(self, tmp_path: Path) -> None:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        said = in_child(
            "import os",
            "if os.geteuid() == 0: os.setuid(65534)  # root may write anywhere",
            f"Store.open({str(tmp_path)!r}).check()",
        )
        assert said == f"{tmp_path}: not permitted (expected a folder that this user may write)"

    def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(self, tmp_path: Path) -> None:
        """Who may not see the replies of an hour would build it without them."""
        (tmp_path / "raw").symlink_to("raw")  # whoever asks, a loop cannot be followed
        store = Store.open(str(tmp_path))

        with pytest.raises(StorageError, match=rf"^{tmp_path}/raw: Too many levels of symbolic links"):
            store.list("raw/")
        assert store.list("nowhere/") == []

    def test_who_may_not_read_is_told_so(self, tmp_path: Path) -> None:
        (tmp_path / "raw").mkdir(mode=0)
        for ask in ("list('raw/')", "folders('raw/')", "read('raw/a')"):
            said = in_child(
                "import os",
                "if os.geteuid() == 0: os.setuid(65534)  # root may read anything",
                f"Store.open({str(tmp_path)!r}).{ask}",
            )
            assert said.startswith(f"{tmp_path}/raw")
            assert said.endswith(": not permitted (expected what this user may read)")

    def test_a_file_where_the_folder_should_be_fails_its_check(self, tmp_path: Path) -> None:
        (tmp_path / "lake").write_bytes(b"")
        with pytest.raises(StorageError, match="lake: a file stands where a folder is needed"):
            Store.open(str(tmp_path / "lake")).check()
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            Store.open(str(tmp_path / "lake" / "below")).put("k", b"")


def in_child(*lines: str) -> str:
    """The one line of the `StorageError` that these statements raise in a process of their own."""
    body = "".join(f"    {line}\n" for line in lines)
    opened = "from ingestion.storage import Store, StorageError\ntry:\n"
    script = f"{opened}{body}except StorageError as error:\n    print(error)"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True)
    return child.stdout.decode().removesuffix("\n")


class TestABucket:
    def test_addresses_are_what_duckdb_reads(self) -> None:
        assert Store.open("s3://b/some/lake/").uri("a/b") == "s3://b/some/lake/a/b"
        assert Store.open("s3://b").uri("a/b") == "s3://b/a/b"
        assert Store.open("s3://b").is_s3

    def test_a_missing_bucket_is_named(self, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch) -> None:
        s3_store(s3_store_env, monkeypatch)
        store = Store.open("s3://no-such-bucket/lake")
        asks: tuple[Callable[[], object], ...] = (
            store.check,
            lambda: store.put("k", b""),
            lambda: store.read("k"),
            lambda: store.list(""),
        )
        for ask in asks:
            with pytest.raises(StorageError, match=r"bucket does not exist \(expected an existing bucket\)"):
                ask()

    @pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    def test_a_wrong_key_is_refused_without_being_shown(
        self, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        store = s3_store(s3_store_env, monkeypatch, **{variable: "canary-5e3f"})
        asks: tuple[Callable[[], object], ...] = (
            store.check,
            lambda: store.put("k", b""),
            lambda: store.put_new("k", b""),
            lambda: store.read("k"),
            lambda: store.exists("k"),
        )
        for ask in asks:
            with pytest.raises(
                StorageError, match="access denied: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) as caught:
                ask()
            assert "canary" not in str(caught.value)
            assert s3_store_env.secret not in str(caught.value)

    def test_an_endpoint_where_nothing_listens_is_named(
        self, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = s3_store(s3_store_env, monkeypatch, BAROGRAPH_S3_ENDPOINT="http://127.0.0.1:9")
        with pytest.raises(StorageError, match=r"failed 6 times \(.*127\.0\.0\.1:9"):
            store.check()

    def test_a_tenth_of_answers_failing_is_not_noticed(
        self, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every tenth call is refused with 503 or acted on and answered 500; no object suffers."""

        def fault_of(method: str, count: int) -> Fault:
            return None if count % 10 else "refuse" if count % 20 else "lose the answer"

        with unreliable(s3_store_env.endpoint, fault_of) as endpoint:
            store = s3_store(s3_store_env, monkeypatch, BAROGRAPH_S3_ENDPOINT=endpoint)
            for n in range(60):
                assert store.put_new(f"new/{n:02}", b"%d" % n) is True
                store.put(f"put/{n:02}", b"%d" % n)
            assert [store.read(key) for key in store.list("new/")] == [b"%d" % n for n in range(60)]
            assert [store.read(key) for key in store.list("put/")] == [b"%d" % n for n in range(60)]

    def test_a_winner_whose_answer_was_lost_is_still_the_winner(
        self, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def first_put(method: str, count: int) -> Fault:
            return "lose the answer" if method == "PUT" and count == 1 else None

        with unreliable(s3_store_env.endpoint, first_put) as endpoint:
            store = s3_store(s3_store_env, monkeypatch, BAROGRAPH_S3_ENDPOINT=endpoint)
            assert store.put_new("k", b"mine") is True
            assert store.put_new("k", b"theirs") is False
            assert store.read("k") == b"mine"
