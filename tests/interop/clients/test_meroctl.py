"""meroctl 0.10.0, unmodified, against two real nodes. See README.md for how to build it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.clients.stage import stage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

Command = Callable[..., list[Any]]


def surroundings(home: Path) -> dict[str, str]:
    """A home of its own, since it keeps what it knows there; it finds nobody to ask for a newer version."""
    return {**os.environ, "HOME": str(home), "CALIMERO_HOME": str(home), "HTTPS_PROXY": "http://127.0.0.1:1"}


def meroctl(url: str, home: Path) -> Command:
    """A function that runs a command on a node and gives what it writes."""

    def command(*words: str) -> list[Any]:
        done = subprocess.run(
            line(url, *words), env=surroundings(home), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return list(documents(done.stdout))

    return command


def documents(text: str) -> Iterator[Any]:
    """JSON values that follow one another, some of them over several lines."""
    while text := text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        text = text[end:]
        yield value


def line(url: str, *words: str) -> list[str]:
    return [os.environ["MEROCTL"], "--api", url, "--output-format", "json", *words]


def only(told: list[Any]) -> Any:
    """The data of the one answer."""
    (answer,) = told
    return answer["data"]


def eventually(holds: Callable[[], bool]) -> None:
    """Ask until it holds: a node learns of new members from the registry in its own time."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end


class Pair:
    """meroctl on two nodes, and a context of the first with the aliases `main` and `me`."""

    def __init__(self, first: str, second: str, home: Path, wasm: str) -> None:
        self.url, self.home = first, home
        self.first, self.second = meroctl(first, home), meroctl(second, home)
        install = ("app", "install", "--path", wasm, "--package", "com.example.kv", "--version", "1.2.3")
        self.application = only(self.first(*install))["applicationId"]
        create = ("context", "create", "--protocol", "near", "-a", self.application, "--name", "main", "--as", "me")
        made, *aliases = self.first(*create)
        assert aliases == [{"data": None}, {"data": None}]
        self.context, self.member = made["data"]["contextId"], made["data"]["memberPublicKey"]

    def applications(self) -> None:
        assert self.first("peers") == [{"count": 1}]
        assert only(self.first("app", "get", self.application))["application"]["id"] == self.application
        assert [app["id"] for app in only(self.first("app", "list"))["apps"]] == [self.application]
        assert self.first("app", "list-packages") == [{"packages": ["com.example.kv"]}]
        assert self.first("app", "list-versions", "com.example.kv") == [{"versions": ["1.2.3"]}]
        (latest,) = self.first("app", "get-latest-version", "com.example.kv")
        assert latest["applicationId"] == self.application

    def contexts(self) -> None:
        assert [row["id"] for row in only(self.first("context", "list"))["contexts"]] == [self.context]
        assert only(self.first("context", "get", "main", "info"))["applicationId"] == self.application
        assert only(self.first("context", "get", "main", "client-keys")) == {"clientKeys": []}
        assert only(self.first("context", "get", "main", "storage")) == {"sizeInBytes": 0}
        assert only(self.first("context", "sync", "-c", "main")) is None
        assert only(self.first("context", "sync", "--all")) is None

    def aliases(self) -> None:
        assert only(self.first("context", "alias", "list")) == {"main": self.context}
        assert only(self.first("context", "alias", "add", "other", self.context)) is None
        assert only(self.first("context", "alias", "get", "other")) == {"value": self.context}
        assert only(self.first("context", "alias", "remove", "other")) is None
        identity = ("context", "identity", "alias")
        assert only(self.first(*identity, "list", "-c", "main")) == {"me": self.member}
        assert only(self.first(*identity, "add", "self", self.member, "-c", "main")) is None
        assert only(self.first(*identity, "get", "self", "-c", "main")) == {"value": self.member}
        assert only(self.first(*identity, "remove", "self", "-c", "main")) is None

    def members(self) -> None:
        invitee = self.invitee = only(self.second("context", "identity", "generate"))["publicKey"]
        invitation = only(self.first("context", "invite", invitee, "-c", "main", "--as", "me"))
        joined, *aliases = self.second("context", "join", invitation, "--name", "here", "--as", "myself")
        assert joined["data"] == {"contextId": self.context, "memberPublicKey": invitee}
        assert aliases == [{"data": None}, {"data": None}]
        eventually(lambda: invitee in only(self.first("context", "identity", "list", "-c", "main"))["identities"])
        owned = only(self.first("context", "identity", "list", "-c", "main", "--owned"))["identities"]
        assert owned == [self.member]
        for verb in ("grant", "revoke"):
            told = self.first("context", "identity", verb, invitee, "ManageMembers", "-c", "main", "--as", "me")
            assert told == [{"data": None}]

    def calls(self) -> None:
        (told,) = self.first("call", "set", "--args", '{"key": "k", "value": "v"}', "-c", "main", "--as", "me")
        assert told["result"] == {"output": None}
        (told,) = self.first("call", "get", "--args", '{"key": "k"}', "-c", self.context, "--as", self.member)
        assert told["result"] == {"output": "v"}
        assert only(self.first("context", "use", "main")) is None
        assert only(self.first("context", "identity", "use", self.member)) is None
        (told,) = self.first("call", "get", "--args", '{"key": "k"}')  # the default context, as the default identity
        assert told["result"] == {"output": "v"}

    def blobs(self, folder: Path) -> None:
        (folder / "blob").write_text("content")
        (blob,) = self.first("blob", "upload", "--file", str(folder / "blob"))
        assert blob["size"] == 7
        assert blob["blob_id"] in [row["blob_id"] for row in only(self.first("blob", "list"))["blobs"]]
        assert only(self.first("blob", "info", "--blob-id", blob["blob_id"]))["size"] == 7
        self.first("blob", "download", "--blob-id", blob["blob_id"], "--output", str(folder / "again"))
        assert (folder / "again").read_text() == "content"
        assert self.first("blob", "delete", "--blob-id", blob["blob_id"])[0]["deleted"] is True

    def proposals(self, folder: Path, proposal: str) -> None:
        action = {"scope": "SetNumApprovals", "params": {"num_approvals": 2}}
        body = {"id": proposal, "author_id": self.member, "actions": [action]}
        (folder / "proposal.json").write_text(json.dumps(body))
        make = ("create-and-approve", "--signer", self.member, "--proposal-file", str(folder / "proposal.json"))
        told = only(self.first("context", "proposals", *make, "-c", "main"))
        assert told == {"proposal_id": proposal, "num_approvals": 1}
        assert [row["id"] for row in only(self.first("context", "proposals", "list", "-c", "main"))] == [proposal]
        (told,) = self.first("context", "proposals", "view", proposal, "-c", "main")
        assert (told["proposal"]["data"]["id"], told["approvers"]["data"]) == (proposal, [self.member])
        approve = ("approve", "--signer", self.invitee, "--proposal-id", proposal)
        assert only(self.second("context", "proposals", *approve, "-c", "here"))["proposal_id"] == proposal

    def end(self, wasm: str) -> None:
        other = only(self.first("app", "install", "--path", wasm, "--package", "com.example.kv", "--version", "2.0.0"))
        update = ("context", "update", "-c", "main", "-a", other["applicationId"], "--as", "me")
        assert only(self.first(*update)) is None
        assert only(self.first("context", "delete", self.context)) == {"isDeleted": True}
        assert only(self.first("app", "uninstall", self.application))["applicationId"] == self.application

    def watch(self) -> list[dict[str, Any]]:
        """The first event of the context that it shows."""
        with subprocess.Popen(
            line(self.url, "context", "watch", "main"), env=surroundings(self.home), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            try:
                assert process.stdout is not None
                told = filter(lambda text: text.startswith("{"), process.stdout)
                next(text for text in told if "contextIds" in text)
                self.first("call", "set", "--args", '{"key": "seen", "value": "1"}', "-c", "main", "--as", "me")
                event = json.loads(next(text for text in told if "StateMutation" in text))
            finally:
                process.kill()
        assert event["result"]["contextId"] == self.context
        return list(event["result"]["data"]["events"])


def test_the_commands_work(tmp_path: Path) -> None:
    with stage(tmp_path / "nodes") as (nodes, names):
        urls = [str(nodes[name].base_url) for name in ("first", "second")]
        values = names.values
        pair = Pair(*urls, tmp_path, values["wasm"])
        pair.applications()
        pair.contexts()
        pair.aliases()
        pair.members()
        pair.calls()
        assert [event["kind"] for event in pair.watch()] == ["Inserted"]
        pair.blobs(tmp_path)
        pair.proposals(tmp_path, values["proposal"])
        pair.end(values["wasm"].replace("kv.wasm", "kv_next.wasm"))
