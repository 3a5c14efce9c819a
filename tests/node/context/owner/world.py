"""Nodes without processes for the owner's tests: a store in memory, a guest written in Python, a clock that is set.

The guest is a last-writer-wins map kept in one row. It is small enough to be read, and its root depends on the content
alone, so nodes that hold the same entries have the same root.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable

from node.context.owner import lifecycle
from node.context.owner.apply import ApplyReport, Received
from node.context.owner.execute import Executed
from node.context.owner.host import Host, Runnable
from node.context.owner.owner import ContextOwner
from node.crypto import ed25519
from node.dag.delta import CausalDelta
from node.errors import ExecutionError, MethodResolutionError, WasmTrap
from node.events import AppEvent, Notice, StateMutation
from node.primitives import ApplicationId, ContextId, EntityId, Hash, PrivateKey, PublicKey
from node.runtime.call import GuestCall, Outcome
from node.storage.action import ACTIONS, Action, Add, DeleteRef, Update
from node.storage.entities import Metadata
from node.storage.hlc import HybridClock
from node.store.base import Batch
from node.store.columns import Column
from node.store.memory import MemoryDisk, MemoryStore
from node.store.values import ContextConfig, ContextIdentity

CONTEXT = ContextId(b"\xc1" * 32)
APP = ApplicationId(b"\xa1" * 32)
CONFIG = ContextConfig("near", "testnet", "c", "p", 0, 0)
DOC = b"doc".ljust(32, b"\0")
START = 1_700_000_000_000_000_000


def entity(name: str) -> EntityId:
    return EntityId(hashlib.sha256(name.encode()).digest())


def key_pair(n: int) -> tuple[PublicKey, PrivateKey]:
    private = PrivateKey(bytes([n]) * 32)
    return PublicKey(ed25519.public_key(private)), private


class MapGuest:
    """Methods: init, set, remove, get, private, notify (events with handlers), count (a handler), and bad ones."""

    def run(self, call: GuestCall) -> Outcome:
        method = getattr(self, "do_" + call.method.strip("_"), None)
        if method is None:
            return Outcome(error=MethodResolutionError(f'method "{call.method}" not found'))
        outcome: Outcome = method(call, _load(call))
        return outcome

    def do_init(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        return self._write(call, doc, {"init": "1"})

    def do_set(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        return self._write(call, doc, json.loads(call.args))

    def do_remove(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        return self._write(call, doc, {json.loads(call.args): None})

    def do_get(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        row = doc.get(entity(json.loads(call.args)).hex())
        return Outcome(returns=json.dumps(row[1] if row else None).encode(), writes={DOC: b"lost"})

    def do_notify(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        """Sets an entry and emits one event for each handler named in the arguments."""
        args = json.loads(call.args)
        outcome = self._write(call, doc, {"notified": args["value"]})
        outcome.events = [AppEvent("Told", json.dumps(h).encode(), h) for h in args["handlers"]]
        return outcome

    def do_count(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        """A handler: its event names a handler again, which must not run."""
        name = f"count-{call.executor.hex()[:6]}"
        row = doc.get(entity(name).hex())
        outcome = self._write(call, doc, {name: str(int(str(row[1])) + 1 if row else 1)})
        outcome.events = [AppEvent("Again", b"null", "count")]
        return outcome

    def do_fail(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        outcome = self._write(call, doc, {"never": "1"})
        outcome.error = ExecutionError(b'"no"')
        return outcome

    def do_silent(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        return Outcome(root_hash=Hash(b"\7" * 32), writes={DOC: b"lost"})

    def do_garbage(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        return Outcome(root_hash=Hash(b"\7" * 32), artifact=b"\0\xff", writes={DOC: b"lost"})

    def do_private(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        outcome = self._write(call, doc, {"p": "1"})
        outcome.private_writes = {b"secret".ljust(32, b"\0"): call.args}
        return outcome

    def do_calimero_sync_next(self, call: GuestCall, doc: dict[str, list[object]]) -> Outcome:
        for action in ACTIONS.decode(call.args[1:]):
            if isinstance(action, Add | Update):
                if action.data == b'"poison"':
                    return Outcome(error=WasmTrap("unreachable code reached"))
                _merge(doc, action.id, action.metadata.updated_at, json.loads(action.data))
            elif isinstance(action, DeleteRef):
                _merge(doc, action.id, action.deleted_at, None)
        return _outcome(doc)

    def _write(self, call: GuestCall, doc: dict[str, list[object]], values: dict[str, str | None]) -> Outcome:
        now = call.now_ns()
        actions: list[Action] = []
        for name, value in values.items():
            meta = Metadata(now, now)
            _merge(doc, entity(name), now, value)
            if value is None:
                actions.append(DeleteRef(entity(name), now, meta))
            else:
                actions.append(Add(entity(name), json.dumps(value).encode(), (), meta))
        outcome = _outcome(doc)
        outcome.artifact = b"\0" + ACTIONS.encode(tuple(actions))
        return outcome


def _load(call: GuestCall) -> dict[str, list[object]]:
    raw = call.state(DOC)
    found: dict[str, list[object]] = json.loads(raw) if raw else {}
    return found


def _merge(doc: dict[str, list[object]], key: EntityId, at: int, value: object) -> None:
    """Later time wins; equal times are settled by the value, so that order does not matter."""
    old = doc.get(key.hex())
    if old is None or (at, json.dumps(value)) > (old[0], json.dumps(old[1])):
        doc[key.hex()] = [at, value]


def _outcome(doc: dict[str, list[object]]) -> Outcome:
    raw = json.dumps(doc, sort_keys=True).encode()
    return Outcome(root_hash=Hash(hashlib.sha256(raw).digest()), writes={DOC: raw})


class Node:
    """One node in one context."""

    def __init__(self, number: int, *, disk: MemoryDisk | None = None) -> None:
        self.number = number
        self.public, self.private = key_pair(number)
        self.keys = ContextIdentity(self.private, PrivateKey(bytes([100 + number]) * 32))
        self.disk = disk or MemoryDisk()
        self.now = START
        self.random = random.Random(number)
        self.installed = True
        self.events: list[StateMutation | Notice] = []
        self.guest = MapGuest()
        self.host = Host(
            self.guest,
            lambda app: Runnable(Hash(app), lambda: b"") if self.installed else None,
            self.tick,
            self.random.randbytes,
            notify=self.events.append,
        )
        self.store = MemoryStore(self.disk)
        self.pending_limit = 1000

    def tick(self) -> int:
        """Time moves by a microsecond at each look."""
        self.now += 1000
        return self.now

    def clock(self) -> HybridClock:
        return HybridClock(self.tick, self.number)

    def open(self) -> ContextOwner:
        self.owner = ContextOwner(CONTEXT, self.store, self.host, self.clock(), pending_limit=self.pending_limit)
        return self.owner

    def restart(self, fault: Callable[..., None] | None = None) -> ContextOwner:
        """The process is killed and started again on the same disk."""
        self.store.close()
        self.store = MemoryStore(self.disk, fault=fault)
        return self.open()

    def create(self, members: list[PublicKey]) -> ContextOwner:
        staged = lifecycle.initialise(
            CONTEXT, APP, Runnable(Hash(APP), lambda: b""), self.public, self.keys, b"{}", self.host, self.clock()
        )
        lifecycle.commit_created(self.store, staged, CONFIG)
        owner = self.open()
        owner.update(CONFIG, members)
        return owner

    def copy_of(self, other: Node) -> ContextOwner:
        """A member with the history and state of another node."""
        batch = Batch()
        for column in (Column.META, Column.STATE, Column.DELTA):
            for key, value in other.store.scan(column, CONTEXT):
                batch.put(column, key, value)
        self.store.commit(batch)
        return self.join(other)

    def join(self, other: Node) -> ContextOwner:
        """A member that has nothing yet."""
        lifecycle.adopt(self.store, CONTEXT, APP, CONFIG, other.owner.state.members, self.public, self.keys)
        return self.open()

    def call(self, method: str, args: object = None) -> Executed:
        return self.owner.execute(method, json.dumps(args).encode(), self.public)

    def give(self, delta: CausalDelta, author: Node | None = None) -> ApplyReport:
        return self.owner.apply([Received(delta, author.public if author else None)], "peer")

    def value(self, name: str) -> object:
        return json.loads(self.call("get", name).returns or b"null")

    @property
    def root(self) -> Hash:
        return self.owner.state.meta.root_hash


def made(result: Executed) -> CausalDelta:
    assert result.delta is not None
    return result.delta
