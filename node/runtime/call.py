"""One call into an application and its outcome: the seam between a context and whatever runs its code.

A context never sees an engine and an engine never sees a store: the call carries readers, the outcome carries writes.
Nothing is written while a guest runs; the owner of the context commits the outcome whole or drops it.
Source of the fields: core 0.10.0: crates/runtime/src/logic.rs, crates/context/src/handlers/execute.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from node.errors import FunctionCallError
from node.events import AppEvent
from node.primitives import BlobId, ContextId, Hash, PublicKey

Reader: TypeAlias = Callable[[bytes], bytes | None]
"""Read one row: 32-byte key to value, or None."""

SYNC_NEXT: Final = "__calimero_sync_next"
"""The export that applies a remote delta; allowed on an uninitialised context."""

INIT: Final = "init"
"""The export that context creation calls once."""


class Services(Protocol):
    """What a guest may ask of its node while it runs. Answers come at once, from this process or from files."""

    def is_member(self, identity: PublicKey) -> bool: ...
    def members(self) -> list[PublicKey]: ...
    def has_alias(self, name: str) -> bool: ...
    def resolve_alias(self, name: str) -> PublicKey | None: ...
    def blob_create(self) -> BlobWriter: ...
    def blob_open(self, blob_id: BlobId) -> BlobReader | None: ...
    def blob_announce(self, blob_id: BlobId, context_id: ContextId) -> bool: ...
    def http_fetch(self, url: str, method: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]: ...


class BlobWriter(Protocol):
    """Collects the bytes of a new blob."""

    def write(self, data: bytes) -> int: ...
    def finish(self) -> BlobId: ...
    def abort(self) -> None: ...


class BlobReader(Protocol):
    """Reads the bytes of a stored blob in order; ``read`` returns fewer bytes only at the end."""

    def read(self, size: int) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GuestCall:
    """Everything one execution may depend on: the same call on the same rows gives the same outcome.

    ``module`` is the SHA-256 of the bytecode; ``bytecode`` is asked for only when no compiled form is cached.
    ``state`` and ``private`` read the committed rows (``private`` None: the private functions answer 0).
    ``now_ns`` is unix time in nanoseconds, ``random_bytes`` the only source of randomness.
    """

    module: Hash
    bytecode: Callable[[], bytes]
    context_id: ContextId
    executor: PublicKey
    method: str
    args: bytes
    state: Reader
    private: Reader | None
    now_ns: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    services: Services | None = None


@dataclass(frozen=True, slots=True)
class XCall:
    """A queued call into another context of this node."""

    context_id: ContextId
    function: str
    params: bytes


@dataclass(frozen=True, slots=True)
class ContextMutation:
    """A queued change of a context or its members; ``kind`` names the host function that queued it."""

    kind: str
    target: bytes = b""
    params: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A queued governance proposal (Borsh actions) or, with ``approval`` set, an approval of ``id``."""

    id: Hash
    actions: bytes = b""
    approval: bool = False


@dataclass(slots=True)
class Outcome:
    """What a call left behind. ``error`` set means that nothing else but logs may be used.

    ``writes`` and ``private_writes`` map 32-byte row keys to the new value or None for a removal. ``root_hash`` and
    ``artifact`` (Borsh ``StorageDelta``) come from the guest's commit. ``fuel`` is the metered work, 0 when off.
    """

    returns: bytes | None = None
    error: FunctionCallError | None = None
    logs: list[str] = field(default_factory=list)
    events: list[AppEvent] = field(default_factory=list)
    root_hash: Hash | None = None
    artifact: bytes = b""
    writes: dict[bytes, bytes | None] = field(default_factory=dict)
    private_writes: dict[bytes, bytes | None] = field(default_factory=dict)
    xcalls: list[XCall] = field(default_factory=list)
    mutations: list[ContextMutation] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    fuel: int = 0


class Guest(Protocol):
    """Runs calls. Implemented over wasmtime in ``workers.runtime`` and by native Python apps in the simulator."""

    def run(self, call: GuestCall) -> Outcome: ...
