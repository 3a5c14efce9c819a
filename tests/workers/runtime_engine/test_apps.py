"""The repository's four applications, built with the unmodified SDK, on the engine."""

from __future__ import annotations

import json

import msgspec
import pytest

from node.errors import ExecutionError, HostError
from node.events import AppEvent
from node.primitives import BlobId, ContextId, PublicKey
from node.runtime.call import INIT, XCall
from node.storage.action import Update
from node.storage.delta import Actions, actions_of, encode_artifact
from node.storage.entities import Frozen
from tests.node.runtime.machine import FakeServices
from tests.workers.runtime_engine.app import App, Clock, Randomness, rust_app
from tests.workers.runtime_engine.guests import CONTEXT, EXECUTOR
from workers.runtime.engine.guest import WasmGuest

OTHER = PublicKey(b"\3" * 32)


@pytest.fixture
def kv(guest: WasmGuest) -> App:
    return rust_app(guest, "kv")


class TestKeyValue:
    def test_set_get_update_remove(self, kv: App) -> None:
        assert kv.ok("get", key="a") is None
        assert kv.ok("set", key="a", value="1") is None
        assert kv.ok("get", key="a") == "1"
        kv.ok("set", key="a", value="2")
        kv.ok("set", key="b", value="ü \U0001f600")
        assert kv.ok("entries") == {"a": "2", "b": "ü \U0001f600"}
        assert kv.ok("remove", key="a") == "2"
        assert kv.ok("remove", key="a") is None
        assert (kv.ok("len"), kv.ok("contains", key="b")) == (1, True)
        kv.ok("clear")
        assert kv.ok("entries") == {}

    def test_events_in_order(self, kv: App) -> None:
        outcome = kv.run("set_many", entries={"a": "1", "b": "2"})
        assert outcome.returns == b"2"
        assert outcome.events == [
            AppEvent("Inserted", b'{"key":"a","value":"1"}'),
            AppEvent("Inserted", b'{"key":"b","value":"2"}'),
        ]
        outcome = kv.run("set_with_handler", key="a", value="3")
        assert outcome.events == [AppEvent("Updated", b'{"key":"a","value":"3"}', "on_set")]
        assert outcome.logs == ["Emitting event with handler: on_set"]

    def test_a_handler_runs_on_the_data_of_its_event(self, kv: App) -> None:
        event = kv.run("set_with_handler", key="a", value="3").events[0]
        outcome = kv.raw("on_set", event.data)
        assert (outcome.error, outcome.logs) == (None, ["on_set a = 3"])
        assert kv.ok("handled") == 1

    def test_views_commit_nothing(self, kv: App) -> None:
        kv.ok("set", key="a", value="1")
        before = dict(kv.state)
        outcome = kv.run("get", key="a")
        assert (outcome.root_hash, outcome.artifact, outcome.writes) == (None, b"", {})
        assert kv.state == before

    def test_a_change_of_nothing_still_commits(self, kv: App) -> None:
        outcome = kv.run("clear")
        assert outcome.root_hash is not None
        assert outcome.artifact

    @pytest.mark.parametrize(
        ("method", "arguments", "kind", "text"),
        [
            ("get_result", {"key": "zz"}, ExecutionError, '{"data":"zz","kind":"NotFound"}'),
            ("get_unchecked", {"key": "zz"}, HostError, "guest panicked: key not found: zz at "),
            ("set_then_panic", {"key": "k", "value": "v"}, HostError, "guest panicked: asked to panic after k at "),
            (
                "set_then_fail",
                {"key": "k", "value": "v"},
                ExecutionError,
                '{"data":{"key":"k","reason":"asked to fail"}',
            ),
            ("set", {"key": "k"}, HostError, "missing field `value`"),
            ("get_result", {"key": 'a"b'}, HostError, "expected a borrowed string"),
        ],
    )
    def test_failures_change_nothing(
        self, kv: App, method: str, arguments: dict[str, str], kind: type[Exception], text: str
    ) -> None:
        before = dict(kv.state)
        outcome = kv.run(method, **arguments)
        assert isinstance(outcome.error, kind)
        shown = outcome.error.payload.decode() if isinstance(outcome.error, ExecutionError) else str(outcome.error)
        assert text in shown
        assert (kv.state, outcome.events, outcome.root_hash, outcome.writes) == (before, [], None, {})

    def test_init_runs_once(self, kv: App) -> None:
        outcome = kv.run(INIT)
        assert "Cannot initialize over already existing state." in str(outcome.error)

    def test_without_init_there_is_no_state(self, guest: WasmGuest) -> None:
        outcome = App(guest, rust_app(guest, "kv").code).run("get", key="a")
        assert "Failed to find or read app state" in str(outcome.error)

    def test_cross_context_calls_are_queued(self, kv: App) -> None:
        target = ContextId(b"\7" * 32)
        outcome = kv.run("set_elsewhere", context=str(target), key="a", value="b")
        (xcall,) = outcome.xcalls
        assert (xcall.context_id, xcall.function) == (target, "set")
        assert json.loads(xcall.params) == {"key": "a", "value": "b"}
        assert isinstance(xcall, XCall)

    def test_the_guest_sees_context_and_executor(self, kv: App) -> None:
        assert kv.ok("whoami") == {"context": str(CONTEXT), "executor": str(EXECUTOR)}

    def test_the_same_call_on_the_same_rows_gives_the_same_bytes(self, guest: WasmGuest) -> None:
        def history() -> list[object]:
            app = rust_app(guest, "kv")
            outcomes = [app.run("set", key=f"k{n}", value="v") for n in range(3)] + [app.run("remove", key="k1")]
            return [(o.root_hash, o.artifact, o.writes, o.events, o.returns) for o in outcomes]

        assert history() == history()


class TestReplication:
    def test_a_replica_reaches_the_same_root(self, kv: App) -> None:
        replica = kv.replica(OTHER)
        for change in (
            kv.run("set", key="a", value="1"), kv.run("set", key="b", value="2"), kv.run("set", key="a", value="3"),
            kv.run("remove", key="b"), kv.run("set_many", entries={"c": "4", "d": "5"}),
        ):  # fmt: skip
            applied = replica.receive(change)
            assert (applied.error, applied.returns) == (None, None)
            assert applied.root_hash == change.root_hash
        assert replica.ok("entries") == kv.ok("entries") == {"a": "3", "c": "4", "d": "5"}
        assert replica.root == kv.root

    def test_two_authors_converge_in_either_order(self, kv: App) -> None:
        left, right = kv.replica(EXECUTOR), kv.replica(OTHER)
        first, second = left.run("set", key="a", value="left"), right.run("set", key="b", value="right")
        assert left.receive(second).error is None
        assert right.receive(first).error is None
        assert left.ok("entries") == right.ok("entries") == {"a": "left", "b": "right"}

    def test_a_damaged_delta_changes_nothing(self, kv: App) -> None:
        change = kv.run("set", key="a", value="1")
        replica = kv.replica(OTHER)
        before = dict(replica.state)
        for artifact in (change.artifact[:-1], b"\x09", b"\0\xff\xff\xff\xff"):
            assert replica.raw("__calimero_sync_next", artifact).error is not None
        assert replica.state == before

    def test_a_failed_delta_says_where_it_stopped(self, kv: App) -> None:
        """The guest itself only traps; a frozen entity that is updated is the second of three actions."""
        change = kv.run("set", key="a", value="1")
        add, state, root = actions_of(change.artifact)
        assert isinstance(state, Update)
        frozen = msgspec.structs.replace(state, metadata=msgspec.structs.replace(state.metadata, storage_type=Frozen()))
        outcome = kv.replica(OTHER).raw("__calimero_sync_next", encode_artifact(Actions((add, frozen, root))))
        assert str(outcome.error) == "unreachable code reached"
        assert outcome.logs[-1] == f"sync stopped at action 2 of 3: Update of entity {'76' * 32}"
        outcome = kv.replica(OTHER).raw("__calimero_sync_next", change.artifact[:-1])
        assert outcome.logs[-1].startswith("sync stopped: the delta cannot be read")


class TestCollections:
    def test_every_kind(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "collections")
        replica = app.replica(OTHER)
        changes = [
            app.run("visit"), app.run("deposit"), app.run("withdraw"), app.run("withdraw"),
            app.run("score", player="ann"), app.run("put", shelf="s", item="i", value="v"),
            app.run("append", line="one"), app.run("append", line="two"), app.run("rewrite", index=0, line="uno"),
            app.run("tag", tag="x"), app.run("tag", tag="x"), app.run("file_under", topic="t", tag="x"),
            app.run("set_title", title="title"), app.run("write", position=0, text="hello"),
            app.run("erase", start=1, end=4),
        ]  # fmt: skip
        for change in changes:
            assert change.error is None
            assert replica.receive(change).error is None
        for node in (app, replica):
            assert node.ok("visits") == 1
            assert node.ok("balance") == -1
            assert node.ok("scores") == {"ann": 1}
            assert node.ok("shelves") == {"s": {"i": "v"}}
            assert node.ok("journal") == ["uno", "two"]
            assert node.ok("tags") == ["x"]
            assert node.ok("topics") == {"t": ["x"]}
            assert node.ok("title") == "title"
            assert node.ok("text") == "ho"

    def test_counters_of_two_members_add_up(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "collections")
        other = app.replica(OTHER)
        mine, theirs = app.run("visit"), other.run("visit")
        assert app.receive(theirs).error is None
        assert other.receive(mine).error is None
        assert app.ok("visits") == other.ok("visits") == 2


class TestPrivate:
    def test_private_rows_commit_with_the_call(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "private")
        app.ok("hide", game="g", secret="s")
        assert app.ok("my_secrets") == {"g": "s"}
        assert len(app.private) == 1
        assert not any(value == b"s" for value in app.state.values())
        assert app.ok("judge", game="g", guess="s") is True
        assert app.ok("reveal", game="g") == "s"
        assert app.ok("my_secrets") == {}

    def test_a_view_and_a_failure_drop_them(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "private")
        app.ok("note", text="first")
        assert app.ok("note_in_view", text="second") == "first"
        assert app.run("note_then_fail", text="third").error is not None
        assert app.ok("my_note") == "first"
        assert app.ok("forget_note") is True
        assert app.ok("forget_note") is False
        assert app.ok("my_note") is None

    def test_another_node_has_none(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "private")
        replica = app.replica(OTHER)
        assert replica.receive(app.run("hide", game="g", secret="s")).error is None
        assert replica.ok("commitments") == app.ok("commitments")
        assert replica.ok("my_secrets") == {}


class TestOwned:
    def test_profiles_belong_to_their_owner(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "owned")
        assert app.ok("set_profile", text="me") is None
        assert app.ok("set_profile", text="still me") == "me"
        assert app.ok("profile_of", owner=str(EXECUTOR)) == "still me"
        app.executor = OTHER
        assert app.ok("my_profile") is None
        assert app.ok("has_profile", owner=str(EXECUTOR)) is True

    def test_frozen_records(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "owned")
        digest = app.ok("freeze", text="for ever")
        assert app.ok("record", hash=digest) == "for ever"
        assert app.ok("has_record", hash="00" * 32) is False

    def test_blobs(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "owned")
        assert isinstance(app.services, FakeServices)
        content = list(range(256)) * 40
        blob = app.ok("attach", name="file", content=content)
        assert app.services.blobs[BlobId.parse(str(blob))] == bytes(content)
        assert [str(b) for b, _ in app.services.announced] == [blob]
        assert app.ok("attachment", name="file") == content
        app.services.blobs.clear()
        assert app.ok("attachment", name="file") == []

    def test_members(self, guest: WasmGuest) -> None:
        app = rust_app(guest, "owned")
        assert app.ok("members") == [str(EXECUTOR)]
        assert app.ok("is_member", key=str(OTHER)) is False


def test_time_and_randomness_are_those_of_the_call(guest: WasmGuest) -> None:
    """Two nodes with the same clock and random bytes make the same genesis, whatever else they are."""
    roots = set()
    for _ in range(2):
        app = App(guest, rust_app(guest, "kv").code, clock=Clock(5), randomness=Randomness(9))
        roots.add(app.run("init").artifact)
    assert len(roots) == 1
