"""The same run on `gs://` and `s3://`: emulators of both in this process, reached over the network as the real ones are."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from dentify.beam import Recipe, Summary, preprocess
from dentify.errors import InputError, OutputError

from .conftest import lines, tree

SMALL = Recipe((100, 100))


class Store(NamedTuple):
    """An emulated object store.

    Attributes:
        root: address of its bucket.
        options: Beam's options to reach it.
        put: stores an object.
        get: all objects below a prefix, by their names.
    """

    root: str
    options: list[str]
    put: Callable[[str, bytes], None]
    get: Callable[[str], dict[str, bytes]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    pytest.importorskip("apache_beam.io.gcp.gcsio", reason="needs apache-beam[gcp]")
    from google.cloud import storage

    port = free_port()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    # Beam looks for credentials for twenty seconds before it goes on without; here it has looked already.
    monkeypatch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", True)
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
    server.start()
    try:
        bucket = storage.Client.create_anonymous_client().bucket("bucket")
        yield Store(
            "gs://bucket",
            [],
            lambda name, data: bucket.blob(name).upload_from_string(data, "application/octet-stream"),
            lambda prefix: {
                blob.name.removeprefix(prefix + "/"): blob.download_as_bytes()
                for blob in bucket.client.list_blobs(bucket, prefix=prefix + "/")
            },
        )
    finally:
        server.stop()


@pytest.fixture
def s3() -> Iterator[Store]:
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()  # its memory is the process's
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=endpoint, **keys)
        client.create_bucket(Bucket="bucket")
        options = [f"--s3_endpoint_url={endpoint}", "--s3_access_key_id=test", "--s3_secret_access_key=test"]

        def get(prefix: str) -> dict[str, bytes]:
            found = client.list_objects_v2(Bucket="bucket", Prefix=prefix + "/").get("Contents", [])
            names = [one["Key"] for one in found]
            return {
                name.removeprefix(prefix + "/"): client.get_object(Bucket="bucket", Key=name)["Body"].read() for name in names
            }

        yield Store(
            "s3://bucket",
            [*options, "--s3_region_name=us-east-1"],
            lambda name, data: client.put_object(Bucket="bucket", Key=name, Body=data),
            get,
        )
    finally:
        server.stop()


@pytest.fixture(params=["gcs", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


def run(source: str, output: str, store: Store, **options: Any) -> Summary:
    summary = preprocess(source, output, recipe=SMALL, beam_options=store.options, **options)
    assert summary is not None
    return summary


def upload(folder: Path, store: Store) -> None:
    for name, data in tree(folder).items():
        store.put(f"photos/{name}", data)


def test_a_data_set_in_a_store_gives_the_bytes_that_it_gives_here(store: Store, dataset: Path, tmp_path: Path) -> None:
    upload(dataset, store)
    preprocess(dataset, tmp_path / "out", recipe=SMALL)
    root = store.root
    summary = run(f"{root}/photos", f"{root}/ready", store)
    assert (summary.written, summary.failed) == (3, 0)
    assert store.get("ready") == tree(tmp_path / "out")
    run(f"{root}/photos/", f"{root}/ready/", store, overwrite=True)
    assert store.get("ready") == tree(tmp_path / "out")


def test_shards_can_be_written_to_a_store(store: Store, dataset: Path, tmp_path: Path) -> None:
    preprocess(dataset, tmp_path / "out", recipe=SMALL, write="shards", shard_size=2)
    summary = run(str(dataset), f"{store.root}/ready", store, write="shards", shard_size=2)
    assert summary.shards == 2
    assert store.get("ready") == tree(tmp_path / "out")


def test_a_bad_picture_in_a_store_is_one_row(store: Store, dataset: Path, tmp_path: Path) -> None:
    (dataset / "val" / "c.jpg").write_bytes(b"no picture")
    upload(dataset, store)
    summary = run(f"{store.root}/photos/**/*.jpg", str(tmp_path / "out"), store)
    assert (summary.written, summary.failed) == (1, 1)
    (row,) = lines((tmp_path / "out" / "errors.jsonl").read_bytes())
    assert row["message"].startswith(f"{store.root}/photos/val/c.jpg: not a picture")


def test_what_labels_name_and_a_store_has_not_is_one_row(store: Store, dataset: Path, tmp_path: Path) -> None:
    (dataset / "val" / "c.jpg").unlink()
    upload(dataset, store)
    assert run(f"{store.root}/photos", str(tmp_path / "out"), store).failed == 1
    (row,) = lines((tmp_path / "out" / "errors.jsonl").read_bytes())
    assert row["message"].startswith(f"{store.root}/photos/")
    assert "cannot be read" in row["message"]


def test_results_in_a_store_are_not_replaced_unasked(store: Store, dataset: Path) -> None:
    store.put("ready/thesis.txt", b"mine")
    with pytest.raises(OutputError, match="choose an empty place"):
        run(str(dataset), f"{store.root}/ready", store)
    store.put("done/_SUCCESS", b"{}")
    with pytest.raises(OutputError, match="--overwrite replaces them"):
        run(str(dataset), f"{store.root}/done", store)


def test_labels_that_are_no_coco_are_told(store: Store, dataset: Path, tmp_path: Path) -> None:
    store.put("photos/a.xml", b"<annotation/>")
    store.put("photos/a.jpg", b"")
    with pytest.raises(InputError, match=r"holds labels \(a\.xml\) that are no COCO"):
        run(f"{store.root}/photos", str(tmp_path / "out"), store)


def test_a_place_in_a_store_that_is_forbidden_is_one_line(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("boto3")

    class Forbids(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = _refuse  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forbids) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        keys = ["--s3_access_key_id=test", "--s3_secret_access_key=test", "--s3_region_name=us-east-1"]
        options = [f"--s3_endpoint_url=http://127.0.0.1:{server.server_port}", *keys]
        with pytest.raises(OutputError, match=r"^s3://bucket/ready/.*: cannot be written: "):
            preprocess(dataset, "s3://bucket/ready", recipe=SMALL, beam_options=options)
        with pytest.raises(InputError, match=r"^s3://bucket/photos: cannot be listed: "):
            preprocess("s3://bucket/photos", tmp_path / "out", recipe=SMALL, beam_options=options)
        server.shutdown()


def test_labels_of_stored_pictures_are_not_turned_from_afar(store: Store, dataset: Path, tmp_path: Path) -> None:
    upload(dataset, store)
    with pytest.raises(InputError, match="are turned here alone; copy the data set here"):
        run(f"{store.root}/photos", str(tmp_path / "out"), store, frame="stored")


def test_an_unknown_store_is_told() -> None:
    with pytest.raises(InputError, match="no filesystem for ftp://"):
        preprocess("ftp://host/photos", "out")
