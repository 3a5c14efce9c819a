"""No private key leaves a node: not in its log, whatever the level, and not in an answer of its API."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import base58
import httpx
import pytest

from calimero_tui.launch import LOG_FILE
from node.store.columns import Column
from node.store.places import SHARD
from node.store.rocks import RocksStore
from tests.life.apps import LIMIT
from tests.workers.server.real import WASM, Context, pair

pytestmark = pytest.mark.timeout(LIMIT)

ADMIN: Final = "/admin-api"
EVERYTHING: Final = ("log.filter=trace",)
NODE_KEY: Final = slice(4, 36)
"""Where the seed lies in the encoded key pair of the node."""


def _live(one: httpx.Client, two: httpx.Client) -> list[str]:
    """Most of what can happen to keys, well and badly; every answer on the way."""
    answers: list[str] = []

    def ask(client: httpx.Client, method: str, path: str, body: Any = None) -> None:
        answers.append(client.request(method, path, json=body).text)

    context = Context(one)
    member = context.invite(two)
    context.call("set", {"key": "a", "value": "b"})
    context.call("set_then_panic", {"key": "a", "value": "b"})
    wish = {"contextId": context.id, "inviterId": context.member, "validForBlocks": 10}
    offer = one.post(f"{ADMIN}/contexts/invite_by_open_invitation", json=wish).json()["data"]
    for client in (one, two):
        guest = client.post(f"{ADMIN}/identity/context").json()["data"]["publicKey"]
        ask(
            client,
            "POST",
            f"{ADMIN}/contexts/join_by_open_invitation",
            {"invitation": offer, "newMemberPublicKey": guest},
        )
        ask(client, "POST", f"{ADMIN}/contexts/join", {"invitationPayload": "1111"})
        ask(client, "POST", f"{ADMIN}/contexts/invite", {**wish, "inviteeId": guest, "inviterId": member})
    grant = {"capabilities": [[member, "ManageMembers"]], "signer_id": context.member}
    ask(one, "POST", f"{ADMIN}/contexts/{context.id}/capabilities/grant", grant)
    ask(two, "PUT", f"{ADMIN}/blobs?context_id={context.id}", "blob")
    body = {"path": str(WASM / "kv_next.wasm"), "metadata": []}
    newer = one.post(f"{ADMIN}/install-dev-application", json=body).json()["data"]["applicationId"]
    for migrate in ("migrate_from_nothing", "migrate_from_kv"):
        upgrade = {"applicationId": newer, "executorPublicKey": context.member, "migrateMethod": migrate}
        ask(one, "POST", f"{ADMIN}/contexts/{context.id}/application", upgrade)
    own, admin = f"/calimero/v1/contexts/{context.id}", f"{ADMIN}/contexts/{context.id}"
    pages = [
        f"{own}/why", f"{own}/state?limit=1000", f"{own}/deltas", f"{own}/tree?depth=16", f"{ADMIN}/contexts",
        f"{admin}/identities-owned", "/metrics", "/calimero/v1/logs?limit=1000", "/calimero/v1/peers",
        "/calimero/v1/history?limit=1000",
    ]  # fmt: skip
    for client in (one, two):
        for path in pages:
            ask(client, "GET", path)
    return answers


def _secrets(home: Path) -> Iterator[bytes]:
    """Private and sender keys of every identity of a node that has stopped, and the key of the node itself."""
    config = tomllib.loads((home / "config.toml").read_text())
    yield base58.b58decode(config["identity"]["keypair"])[NODE_KEY]
    for folder in sorted((home / "data").glob(f"{SHARD}*")):
        store = RocksStore(folder, int(folder.name.removeprefix(SHARD)))
        try:
            for _, raw in store.scan(Column.IDENTITY):
                yield from _options(raw)
        finally:
            store.close()


def _options(raw: bytes) -> Iterator[bytes]:
    """Two Borsh options of 32 bytes."""
    while raw:
        present, raw = raw[0], raw[1:]
        if present:
            yield raw[:32]
            raw = raw[32:]


def _forms(secret: bytes) -> list[str]:
    """As people and programs write 32 bytes. A list of numbers is long enough to be no accident after eight."""
    numbers = json.dumps(list(secret[:8]))[1:-1]
    return [
        base58.b58encode(secret).decode(), secret.hex(), secret.hex().upper(), repr(secret)[2:-1], numbers,
        numbers.replace(" ", ""),
    ]  # fmt: skip


def test_no_private_key_is_in_a_log_or_an_answer(tmp_path: Path) -> None:
    with contextlib.ExitStack() as nodes:
        one, two = nodes.enter_context(pair(tmp_path, EVERYTHING))
        answers = _live(one, two)
    homes = [tmp_path / "first", tmp_path / "second"]
    logs = [(home / LOG_FILE).read_text() for home in homes]
    secrets = {secret for home in homes for secret in _secrets(home)}
    assert len(secrets) >= 2 + 2 * 2 + 2  # of nodes, two of each member, and what is left in the pools
    assert all("debug" in log.lower() for log in logs), "the logs hold everything"
    for text in (*logs, *answers):
        for secret in secrets:
            assert not any(form in text for form in _forms(secret))
