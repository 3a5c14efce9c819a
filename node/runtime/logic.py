"""VMLogic: everything one execution holds while its guest runs, and the outcome made of it.

One object per call, dropped with it: nothing of a call can leak into the next one. Host functions
(``node.runtime.host``) are functions of this object and integers. It knows no engine and opens nothing.
Source: core 0.10.0: crates/runtime/src/logic.rs.
"""

from __future__ import annotations

from typing import Final

from node.errors import ExecutionError, FunctionCallError, HostError, StorageError
from node.events import AppEvent
from node.primitives import Hash
from node.runtime import faults
from node.runtime.blobs import CreatedBlob, OpenedBlob
from node.runtime.call import SYNC_NEXT, ContextMutation, GuestCall, Outcome, Proposal, XCall
from node.runtime.diagnosis import where_sync_stopped
from node.runtime.journal import Journal
from node.runtime.limits import MAX_METHOD_NAME
from node.runtime.memory import GuestMemory
from node.runtime.overlay import Overlay
from node.runtime.registers import Registers
from node.storage.index import ChildCache

NAME_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")

FIRST_BLOB_FD: Final = 1


def check_method_name(name: str) -> None:
    """Raises MethodResolutionError: empty, longer than 256 bytes, or a character other than ``[A-Za-z0-9_]``."""
    if not name:
        raise faults.empty_method_name()
    if len(name.encode("utf-8", "surrogatepass")) > MAX_METHOD_NAME:
        raise faults.method_name_too_long(len(name.encode("utf-8", "surrogatepass")))
    for position, character in enumerate(name):
        if character not in NAME_CHARACTERS:
            raise faults.invalid_method_character(position, character)


class VMLogic:
    """State of one execution. ``memory`` is attached after instantiation, before the first exported function runs.

    ``journal`` is the host's storage engine of this call, made when a host function first needs it; ``children`` is
    what that engine may keep of long lists between calls of one context.
    """

    __slots__ = (
        "_journal",
        "approvals",
        "artifact",
        "blob_bytes",
        "blobs",
        "call",
        "children",
        "committed",
        "events",
        "logs",
        "memory",
        "mutations",
        "next_fd",
        "private",
        "proposals",
        "registers",
        "returned",
        "root_hash",
        "state",
        "xcalls",
    )

    def __init__(self, call: GuestCall, memory: GuestMemory, children: ChildCache | None = None) -> None:
        self.call = call
        self.children = children
        self.memory = memory
        self.registers = Registers()
        self.state = Overlay(call.state)
        self.private = Overlay(call.private) if call.private is not None else None
        self.logs: list[str] = []
        self.events: list[AppEvent] = []
        self.xcalls: list[XCall] = []
        self.mutations: list[ContextMutation] = []
        self.proposals: dict[Hash, bytes] = {}
        self.approvals: list[Hash] = []
        self.blobs: dict[int, CreatedBlob | OpenedBlob] = {}
        self.blob_bytes = 0
        self.next_fd = FIRST_BLOB_FD
        self.returned: tuple[bool, bytes] | None = None
        self.root_hash: Hash | None = None
        self.artifact = b""
        self.committed = False
        self._journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self.call, self.state, self.children)
        return self._journal

    def finish(self, error: FunctionCallError | None = None, fuel: int = 0) -> Outcome:
        """Close what is open and give the outcome. Without a root hash, or with an error, nothing is to be written."""
        self._drop_blobs()
        error = error or self._settle()
        if error is None:
            return self._good(fuel)
        if self.call.method == SYNC_NEXT:
            self.logs.append(where_sync_stopped(self.call.args, self.call.context_id, self.state))
        return Outcome(error=error, logs=self.logs, fuel=fuel)

    def _settle(self) -> FunctionCallError | None:
        """Write the storage engine's tree to the overlay, and take the artifact of *all* actions of a flushed call.

        JavaScript apps flush before they persist their root document; the reference loses those later actions to
        whatever runs next on the same thread.
        """
        if self.returned is not None and not self.returned[0]:
            return ExecutionError(self.returned[1])
        if self._journal is None:
            return None
        try:
            artifact = self._journal.close()
        except StorageError as error:
            return faults.host_panic(f"failed to serialize causal delta: {error}")
        except HostError as error:
            return error
        if artifact is not None:
            self.artifact, self.root_hash = artifact, self._journal.root_hash()
        return None

    def _good(self, fuel: int) -> Outcome:
        writes = self.root_hash is not None
        return Outcome(
            returns=self.returned[1] if self.returned is not None else None,
            logs=self.logs,
            events=self.events,
            root_hash=self.root_hash,
            artifact=self.artifact,
            writes=self.state.writes if writes else {},
            private_writes=self.private.writes if self.private is not None and writes else {},
            xcalls=self.xcalls,
            mutations=self.mutations,
            proposals=[
                *(Proposal(key, actions) for key, actions in sorted(self.proposals.items())),
                *(Proposal(key, approval=True) for key in self.approvals),
            ],
            fuel=fuel,
        )

    def _drop_blobs(self) -> None:
        """Give up what the guest left open: an unfinished blob never becomes one."""
        for handle in self.blobs.values():
            handle.close()
        self.blobs.clear()
