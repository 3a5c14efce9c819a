"""Blobs over HTTP between two whole nodes."""

from __future__ import annotations

import random
from pathlib import Path

import httpx
import pytest

from tests.workers.server.real import Context, node, pair

A = "/admin-api/blobs"
OWN = "/calimero/v1/blobs"


@pytest.mark.timeout(180)
def test_a_blob_is_stored_on_one_node_and_read_on_the_other(tmp_path: Path) -> None:
    content = random.Random(8).randbytes(3 * (1 << 20) + 17)
    with pair(tmp_path) as (first, second):
        context = Context(first)
        context.invite(second)
        put = first.put(A, params={"context_id": context.id}, content=content).json()["data"]
        where = f"{A}/{put['blob_id']}"
        assert second.get(where).status_code == 404
        assert second.head(where, params={"context_id": context.id}).status_code == 404
        assert second.get(where, params={"context_id": context.id}).content == content
        assert second.get(where).content == content
        spare = second.get(f"{OWN}/usage").json()["data"]["spare"]
        assert spare == [put["blob_id"]]
        assert first.get(f"{OWN}/usage").json()["data"]["spare"] == []
        assert _application_blob_stays(first, context)


def _application_blob_stays(client: httpx.Client, context: Context) -> bool:
    """Deleting it is refused, and so the context goes on."""
    found = client.get(f"/admin-api/applications/{context.application}").json()["data"]["application"]
    answer = client.delete(f"{A}/{found['blob']['bytecode']}")
    return answer.status_code == 409 and "output" in context.call("len", {})


@pytest.mark.timeout(180)
def test_every_runtime_worker_knows_every_blob_and_none_is_above_the_quota(tmp_path: Path) -> None:
    with node(tmp_path / "node", settings=("runtime.workers=3", f"store.blob_quota={4 << 20}")) as client:
        contexts = [Context(client, "owned") for _ in range(4)]
        put = client.put(A, content=b"uploaded").json()["data"]["blob_id"]
        for number, context in enumerate(contexts):
            made = context.call("attach", {"name": "a", "content": list(b"guest %d" % number)})["output"]
            while (answer := client.get(f"{A}/{made}")).status_code == 404:
                pass
            assert answer.content == b"guest %d" % number
        answer = client.put(A, content=bytes(5 << 20))
        assert answer.status_code == 413
        assert "store.blob_quota" in answer.json()["error"]
        assert client.post(f"{OWN}/{put}/pin").status_code == 200
        assert client.delete(f"{A}/{put}").status_code == 409
        assert client.delete(f"{OWN}/{put}/pin").json()["data"]["pinned"] is False
        assert client.delete(f"{A}/{put}").status_code == 200
        assert client.post(f"{OWN}/collect").json()["data"]["blobs"] == []
