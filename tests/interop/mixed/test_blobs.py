"""Blobs between nodes of different kinds: those of applications in a sync, and those that a client asks for."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from tests.interop.mixed.houses import House, Ours, Street, Theirs
from tests.interop.mixed.members import LATER, Member, create, join, until, until_agreed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

ORDERS = pytest.mark.parametrize("kinds", [(Ours, Theirs), (Theirs, Ours)], ids=["ours-first", "theirs-first"])
Kinds = tuple[type[House], type[House]]


@ORDERS
def test_the_application_comes_with_the_sync(street: Street, kinds: Kinds) -> None:
    first, second = street.open(*kinds)
    alice = create(first)
    assert second.get("/admin-api/applications")["data"]["apps"] == []
    bob = join(alice, second)
    until_agreed([alice, bob])
    (mine,), (theirs,) = (house.get("/admin-api/applications")["data"]["apps"] for house in (first, second))
    assert mine["id"] == theirs["id"]
    assert mine["blob"]["bytecode"] == theirs["blob"]["bytecode"]
    blob = mine["blob"]["bytecode"]
    contents = [house.client.get(f"/admin-api/blobs/{blob}").content for house in (first, second)]
    assert len({hashlib.sha256(content).digest() for content in contents}) == 1


@ORDERS
def test_a_blob_of_one_is_found_by_the_other(street: Street, kinds: Kinds) -> None:
    """Two chunks and a bit, announced for a context that both are in."""
    first, second = street.open(*kinds)
    alice = create(first)
    bob = join(alice, second)
    until_agreed([alice, bob])
    content = hashlib.sha256(b"seed").digest() * 70_000
    put = first.client.put("/admin-api/blobs", params={"context_id": alice.context}, content=content)
    assert put.is_success, put.text
    blob = put.json()["data"]["blob_id"]
    until(lambda: _fetched(bob, blob) == content, LATER, "the blob")
    assert _fetched(bob, blob) == content


def _fetched(member: Member, blob: str) -> bytes | None:
    """None when the answer breaks off: the reference stores what it fetched twice, and serves it meanwhile."""
    try:
        got = member.house.client.get(f"/admin-api/blobs/{blob}", params={"context_id": member.context})
    except httpx.RemoteProtocolError:
        return None
    assert got.status_code == 200, got.text
    return got.content
