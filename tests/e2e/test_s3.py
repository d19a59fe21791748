"""Data sets in a bucket, on a real server, when something is wrong with it: one sentence, nothing half there, and the same command again succeeds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from ruamel.yaml import YAML

from dartblur.faces.dataset import FaceDataset
from services.servers import S3, Account
from tests.e2e.conftest import BUCKET, OWNER, READER
from tests.e2e.proxy import wire
from tests.makedata import make_wider
from tests.settings import delivered


@pytest.fixture
def project(tmp_path: Path, bucket: S3) -> Path:
    """A folder with params.yaml and an ingested data set of 12 pictures, some hundred kilobytes each."""
    make_wider(tmp_path / "source", 12, size=400, faces=2)
    configure(tmp_path, str(tmp_path / "source"))
    assert dartblur(tmp_path, bucket, OWNER, "ingest").returncode == 0
    (tmp_path / "data/canonical").rename(tmp_path / "local")
    return tmp_path


def configure(folder: Path, source: str) -> None:
    params = delivered()
    params["data"]["source"] = source
    params["validation"] |= {"min_images": 1, "min_faces": 1}
    YAML().dump(params, folder / "params.yaml")


def dartblur(folder: Path, server: S3, account: Account, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**{key: value for key, value in os.environ.items() if not key.startswith("AWS_")}, **server.variables(account)}
    command = [sys.executable, "-m", "dartblur.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    for secret in (OWNER.secret, READER.secret, account.secret):
        assert secret not in done.stdout + done.stderr
    return done


def is_one_sentence(done: "subprocess.CompletedProcess[str]", code: int, *words: str) -> bool:
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert lines[0].startswith("error: ")
    assert all(word in lines[0] for word in words), lines[0]
    return True


def keys(server: S3, prefix: str) -> list[str]:
    found = server.client(OWNER).list_objects_v2(Bucket=BUCKET, Prefix=prefix + "/")
    return [item["Key"] for item in found.get("Contents", [])]


def uploads(server: S3) -> list[Any]:
    """Multipart uploads that were begun and not ended."""
    return list(server.client(OWNER).list_multipart_uploads(Bucket=BUCKET).get("Uploads") or [])


def comes_back(project: Path, server: S3, url: str, account: Account = OWNER) -> bool:
    """Whether `ingest` of the bucket gives the data set that was put there, picture by picture."""
    configure(project, url)
    done = dartblur(project, server, account, "ingest")
    assert done.returncode == 0, done.stderr
    assert dartblur(project, server, account, "validate").returncode == 0
    there, here = FaceDataset(project / "data/canonical"), FaceDataset(project / "local")
    return there.table.equals(here.table) and len(there.pictures()) == 12


def test_there_and_back(project: Path, bucket: S3) -> None:
    url = f"s3://{BUCKET}/whole"
    assert dartblur(project, bucket, OWNER, "shard", "local", url, "--shard-mb", "1").returncode == 0
    assert len(keys(bucket, "whole")) > 4
    assert comes_back(project, bucket, url)
    assert comes_back(project, bucket, url, READER)


@pytest.mark.parametrize(
    ("account", "url", "words"),
    [
        (Account("owner", "not-the-secret-of-the-owner"), f"s3://{BUCKET}/one", ["cannot be reached", "the keys"]),
        (Account("nobody", OWNER.secret), f"s3://{BUCKET}/one", ["cannot be reached", "the keys"]),
        (READER, f"s3://{BUCKET}/one", ["cannot be reached", "the keys"]),
        (OWNER, "s3://no-such-bucket/one", ["s3://no-such-bucket/one"]),
    ],
    ids=["wrong secret", "unknown key", "read only", "no bucket"],
)
def test_what_may_not_be_written(project: Path, bucket: S3, account: Account, url: str, words: list[str]) -> None:
    assert is_one_sentence(dartblur(project, bucket, account, "shard", "local", url), 1, *words)
    assert not keys(bucket, "one")
    assert "no-such-bucket" not in {item["Name"] for item in bucket.client(OWNER).list_buckets()["Buckets"]}
    configure(project, url)
    assert is_one_sentence(dartblur(project, bucket, account, "ingest"), 1, url)
    assert not (project / "data/canonical").exists()
    again = f"s3://{BUCKET}/again-{abs(hash((account, url)))}"
    assert dartblur(project, bucket, OWNER, "shard", "local", again).returncode == 0
    assert comes_back(project, bucket, again)


def test_a_server_that_is_away(project: Path) -> None:
    gone = S3("http://127.0.0.1:9")
    assert is_one_sentence(dartblur(project, gone, OWNER, "shard", "local", f"s3://{BUCKET}/away"), 1, "cannot be reached", "AWS_ENDPOINT_URL")


@pytest.mark.parametrize("limit", [2_000, 300_000])
def test_a_wire_that_is_cut(project: Path, bucket: S3, limit: int) -> None:
    """In the middle of an upload: no data set is there, no key has half a shard, and the same command again succeeds."""
    url = f"s3://{BUCKET}/cut-{limit}"
    with wire(urlsplit(bucket.url).port or 0) as line:
        far = S3(f"http://127.0.0.1:{line.port}")
        line.limit = limit
        assert is_one_sentence(dartblur(project, far, OWNER, "shard", "local", url), 1, "cannot be reached")
        assert line.cuts > 0
        assert f"cut-{limit}/shards.json" not in keys(bucket, f"cut-{limit}")
        configure(project, url)
        assert is_one_sentence(dartblur(project, far, OWNER, "ingest"), 1, f"{url}/shards.json")
        line.limit = None
        assert dartblur(project, far, OWNER, "shard", "local", url).returncode == 0
    assert comes_back(project, bucket, url)


def test_a_multipart_upload_that_was_left_half_done(project: Path, bucket: S3) -> None:
    """Somebody else's process died in the middle of one: the key is not there, and a sharding over it is whole."""
    client, name = bucket.client(OWNER), "half/000000.tar"
    begun = client.create_multipart_upload(Bucket=BUCKET, Key=name)
    client.upload_part(Bucket=BUCKET, Key=name, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * (5 << 20))
    assert not keys(bucket, "half")
    assert dartblur(project, bucket, OWNER, "shard", "local", f"s3://{BUCKET}/half").returncode == 0
    assert comes_back(project, bucket, f"s3://{BUCKET}/half")
    client.abort_multipart_upload(Bucket=BUCKET, Key=name, UploadId=begun["UploadId"])


def test_a_large_upload_that_is_cut_leaves_no_parts(tmp_path: Path, bucket: S3, project: Path) -> None:
    """Beyond the size at which an upload has parts."""
    data = FaceDataset(project / "local")
    rng = np.random.default_rng(0)
    blob = tmp_path / "blob"
    blob.write_bytes(rng.bytes(60 << 20))
    assert len(data.pictures()) == 12
    with wire(urlsplit(bucket.url).port or 0) as line:
        line.limit = 20 << 20
        code = (
            "import sys; from pathlib import Path; from dartblur.media.places import file_system; from dartblur.faces.shards import _put;"
            f"files, base = file_system('s3://{BUCKET}/large'); _put(files, Path(sys.argv[1]), base, 's3://{BUCKET}/large')"
        )
        environment = {**os.environ, **S3(f"http://127.0.0.1:{line.port}").variables(OWNER)}
        done = subprocess.run([sys.executable, "-c", code, str(blob)], env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode != 0 and "cannot be reached" in done.stderr.splitlines()[-1]
        assert line.cuts > 0
    assert not keys(bucket, "large")
    assert not uploads(bucket)
