"""Guests that leave their state to the host, as the JavaScript SDK does."""

from __future__ import annotations

import hashlib

import pytest

from node.primitives import PrivateKey, PublicKey
from node.runtime.call import Outcome
from node.runtime.limits import MAX_ARTIFACT
from node.storage.action import Add, DeleteRef, Update
from node.storage.delta import actions_of, sign_actions
from tests.workers.runtime_engine.app import App
from tests.workers.runtime_engine.guests import CONTEXT, EXECUTOR, call
from tests.workers.runtime_engine.js_guests import ALL_OPS, ALL_SLOTS, js_module
from workers.runtime.engine.guest import WasmGuest

OTHER = PublicKey(b"\3" * 32)
FAILED = 255
MAP = js_module()
ALL = js_module(ALL_SLOTS, ALL_OPS)


class JsApp:
    """An app and its calls; a result is the host function's code and what is in the register."""

    def __init__(self, app: App) -> None:
        self.app = app

    def run(self, method: str, payload: bytes = b"") -> Outcome:
        outcome = self.app.raw(method, payload)
        assert outcome.error is None, f"{method}: {outcome.error} {outcome.logs}"
        return outcome

    def ask(self, method: str, payload: bytes = b"") -> tuple[int, bytes]:
        returns = self.run(method, payload).returns
        assert returns is not None
        return returns[0], returns[1:]

    def set(self, key: str, value: bytes) -> Outcome:
        return self.run("set", key.encode().ljust(8) + value)

    def get(self, key: str) -> bytes | None:
        code, value = self.ask("get", key.encode().ljust(8))
        return value if code else None

    def replica(self) -> JsApp:
        return JsApp(self.app.replica(OTHER))

    def receive(self, outcome: Outcome) -> Outcome:
        applied = self.app.receive(outcome)
        assert applied.error is None, applied.error
        return applied


def started(guest: WasmGuest, code: bytes) -> JsApp:
    app = JsApp(App(guest, code))
    app.run("init")
    return app


@pytest.fixture
def kv(guest: WasmGuest) -> JsApp:
    return started(guest, MAP)


@pytest.fixture
def every(guest: WasmGuest) -> JsApp:
    return started(guest, ALL)


class TestDocument:
    def test_init_makes_root_and_artifact(self, guest: WasmGuest) -> None:
        app = JsApp(App(guest, MAP))
        outcome = app.run("init")
        kinds = [(type(a), a.id == CONTEXT) for a in actions_of(outcome.artifact)]
        assert kinds == [(Add, False), (Add, False), (Update, True)]
        assert outcome.root_hash is not None
        assert not outcome.root_hash.is_zero

    def test_mutations_after_init_work_again_and_again(self, kv: JsApp) -> None:
        """The reference fails at the second document; here it is replaced."""
        for number in range(3):
            outcome = kv.set("a", b"%d" % number)
            assert actions_of(outcome.artifact)[-1].id == CONTEXT
            assert outcome.root_hash == kv.app.root
        assert kv.get("a") == b"2"

    def test_a_mutation_that_touches_no_collection_still_has_an_artifact(self, every: JsApp) -> None:
        outcome = every.run("tag", b"x")
        again = every.run("tag", b"x")
        assert len(actions_of(outcome.artifact)) == 2
        (only,) = actions_of(again.artifact)
        assert only.id == CONTEXT

    def test_views_commit_nothing(self, kv: JsApp) -> None:
        kv.set("a", b"1")
        before = dict(kv.app.state)
        outcome = kv.app.raw("get", b"a".ljust(8))
        assert (outcome.root_hash, outcome.writes, outcome.artifact) == (None, {}, b"")
        assert kv.app.state == before

    def test_actions_of_a_view_do_not_leak_into_the_next_call(self, guest: WasmGuest) -> None:
        """A view that looks into a collection which is not stored creates it; that ends with the view."""
        app = started(guest, MAP)
        app.app.state = {key: value for key, value in app.app.state.items() if len(value) != 64}
        assert app.get("a") is None
        outcome = app.set("b", b"1")
        assert [type(a) for a in actions_of(outcome.artifact)].count(Add) == 3

    def test_an_empty_delta_changes_nothing(self, kv: JsApp) -> None:
        root = kv.app.root
        outcome = kv.run("__calimero_sync_next", b"")
        assert (outcome.root_hash, outcome.artifact) == (root, b"")

    def test_a_damaged_delta_fails_with_a_text(self, kv: JsApp) -> None:
        outcome = kv.app.raw("__calimero_sync_next", b"\0\1\0\0\0\x63")
        assert str(outcome.error).startswith("host panicked: apply_storage_delta failed: Deserialization error: ")
        assert outcome.writes == {}


class TestReplication:
    def test_a_replica_reaches_the_same_root(self, kv: JsApp) -> None:
        replica = kv.replica()
        for change in (kv.set("a", b"1"), kv.set("b", b"2"), kv.set("a", b"3"), kv.run("remove", b"b".ljust(8))):
            assert replica.receive(change).root_hash == change.root_hash
        assert (replica.get("a"), replica.get("b")) == (b"3", None)

    def test_genesis_on_a_node_without_state(self, guest: WasmGuest) -> None:
        author, empty = JsApp(App(guest, MAP)), JsApp(App(guest, MAP, OTHER))
        assert empty.receive(author.run("init")).root_hash == author.app.root
        assert empty.receive(author.set("a", b"1")).root_hash == author.app.root
        assert empty.get("a") == b"1"

    def test_two_authors_converge_in_either_order(self, kv: JsApp) -> None:
        left, right = JsApp(kv.app.replica(EXECUTOR)), kv.replica()
        first, second = left.set("a", b"left"), right.set("b", b"right")
        left.receive(second)
        right.receive(first)
        assert left.get("b") == b"right"
        assert right.get("a") == b"left"
        assert left.app.root == right.app.root

    def test_every_kind(self, every: JsApp) -> None:
        replica = every.replica()
        changes = [
            every.set("k", b"v"), every.run("push", b"one"), every.run("push", b"two"), every.run("pop"),
            every.run("tag", b"x"), every.run("tag", b"y"), every.run("untag", b"x"), every.run("title", b"T"),
            every.run("hit"), every.run("hit"), every.run("freeze", b"for ever"),
        ]  # fmt: skip
        for change in changes:
            assert replica.receive(change).root_hash == change.root_hash
        for app in (every, replica):
            assert app.ask("at", b"\0") == (1, b"one")
            assert app.ask("tags") == (1, b"\1\0\0\0\1\0\0\0y")
            assert app.ask("get_title") == (1, b"T")
            assert app.ask("hits") == (1, (2).to_bytes(8, "little"))

    def test_counters_of_two_members_add_up(self, every: JsApp) -> None:
        other = every.replica()
        mine, theirs = every.run("hit"), other.run("hit")
        every.receive(theirs)
        other.receive(mine)
        two = (1, (2).to_bytes(8, "little"))
        assert every.ask("hits") == other.ask("hits") == two
        assert every.app.root == other.app.root

    def test_user_entries_await_their_signature(self, every: JsApp) -> None:
        outcome = every.run("profile", b"me")
        entry = actions_of(outcome.artifact)[0]
        assert isinstance(entry, Add)
        signed = sign_actions([entry], EXECUTOR, PrivateKey(b"s" * 32))
        assert signed[0] != entry


class TestCollections:
    def test_map(self, kv: JsApp) -> None:
        key = b"a".ljust(8)
        assert kv.ask("set", key + b"1") == (0, b"")
        assert kv.ask("set", key + b"") == (1, b"1")
        assert kv.ask("get", key) == (1, b"")
        assert kv.ask("has", key)[0] == 1
        assert kv.ask("has", b"b".ljust(8))[0] == 0
        kv.ask("set", b"b".ljust(8) + b"22")
        entries = b"".join(len(part).to_bytes(4, "little") + part for part in (key, b"", b"b".ljust(8), b"22"))
        assert kv.ask("entries") == (1, b"\2\0\0\0" + entries)
        assert kv.ask("remove", key) == (1, b"")
        assert kv.ask("remove", key) == (0, b"")
        assert kv.ask("get", key) == (0, b"")

    def test_vector(self, every: JsApp) -> None:
        assert every.ask("pop") == (0, b"")
        for value in (b"a", b"", b"ccc"):
            assert every.ask("push", value)[0] == 1
        assert every.ask("length") == (1, (3).to_bytes(8, "little"))
        assert [every.ask("at", bytes([n])) for n in range(4)] == [(1, b"a"), (1, b""), (1, b"ccc"), (0, b"")]
        assert every.ask("pop") == (1, b"ccc")
        assert every.ask("length") == (1, (2).to_bytes(8, "little"))

    def test_set(self, every: JsApp) -> None:
        assert [every.ask("tag", v)[0] for v in (b"x", b"x", b"y")] == [1, 0, 1]
        assert every.ask("tag_count") == (1, (2).to_bytes(8, "little"))
        assert [every.ask("tagged", v)[0] for v in (b"x", b"z")] == [1, 0]
        assert [every.ask("untag", b"x")[0] for _ in range(2)] == [1, 0]
        assert [every.ask("clear_tags")[0] for _ in range(2)] == [1, 0]
        assert every.ask("tags") == (1, bytes(4))

    def test_register(self, every: JsApp) -> None:
        assert every.ask("get_title") == (0, b"")
        assert every.ask("title_time") == (0, b"")
        assert [every.ask("title", v)[0] for v in (b"a", b"a", b"b")] == [1, 0, 1]
        assert every.ask("get_title") == (1, b"b")
        code, stamp = every.ask("title_time")
        assert (code, len(stamp), stamp[8:]) == (1, 24, EXECUTOR[:16])
        assert [every.ask("no_title")[0] for _ in range(2)] == [1, 0]
        assert every.ask("get_title") == (0, b"")

    def test_counter(self, every: JsApp) -> None:
        every.ask("hit")
        one, none = (1, (1).to_bytes(8, "little")), (1, bytes(8))
        assert every.ask("hits") == every.ask("my_hits", b"") == every.ask("hits_of", EXECUTOR) == one
        assert every.ask("hits_of", OTHER) == none
        assert every.ask("hits_of", b"x" * 31) == (FAILED, b"executor id must be exactly 32 bytes")

    def test_user_storage(self, every: JsApp) -> None:
        assert every.ask("my_profile") == (0, b"")
        assert every.ask("profile", b"one") == (0, b"")
        assert every.ask("profile", b"two") == (1, b"one")
        assert every.ask("profile_of", EXECUTOR) == (1, b"two")
        assert every.ask("has_profile")[0] == every.ask("user_has", EXECUTOR)[0] == 1
        assert every.ask("user_has", OTHER)[0] == 0
        assert every.ask("profile_of", b"x") == (FAILED, b"user key must be exactly 32 bytes")
        assert every.ask("user_has", b"x") == (FAILED, b"user key must be exactly 32 bytes")
        every.app.executor = OTHER
        assert every.ask("my_profile") == (0, b"")
        assert every.ask("no_profile") == (0, b"")
        every.app.executor = EXECUTOR
        assert every.ask("no_profile") == (1, b"two")

    def test_frozen_storage(self, every: JsApp) -> None:
        digest = hashlib.sha256(b"\5\0\0\0value").digest()
        outcome = every.run("freeze", b"value")
        assert outcome.returns == b"\1" + digest
        assert every.ask("frozen", digest) == (1, b"value")
        assert every.ask("frozen", bytes(32)) == (0, b"")
        assert every.ask("is_frozen", digest)[0] == 1
        assert every.ask("is_frozen", b"x") == (FAILED, b"hash must be exactly 32 bytes")
        again = every.run("freeze", b"value")
        assert [a.id for a in actions_of(again.artifact)] == [CONTEXT]

    def test_removals_are_one_action_each(self, every: JsApp) -> None:
        for value in (b"x", b"y"):
            every.run("tag", value)
        kinds = [type(a) for a in actions_of(every.run("clear_tags").artifact)]
        assert kinds == [DeleteRef, DeleteRef, Update]


def test_the_same_calls_give_the_same_bytes(guest: WasmGuest) -> None:
    def history() -> list[object]:
        app = started(guest, ALL)
        outcomes = [app.set("k", b"v"), app.run("push", b"1"), app.run("title", b"t"), app.run("hit")]
        return [(o.root_hash, o.artifact, o.writes) for o in outcomes]

    assert history() == history()


def test_a_clock_that_went_back_does_not_lose_the_document(kv: JsApp) -> None:
    kv.set("a", b"1")
    kv.app.clock.now -= 3_600 * 10**9
    outcome = kv.set("a", b"2")
    assert actions_of(outcome.artifact)[-1].id == CONTEXT
    assert kv.get("a") == b"2"
    assert len(outcome.artifact) < MAX_ARTIFACT


def test_documents_are_read_as_they_were_written(kv: JsApp) -> None:
    outcome = kv.app.guest.run(call(MAP, "init", state=kv.app.state.get))
    assert str(outcome.error) == "unreachable code reached"
