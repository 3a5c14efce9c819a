"""The host's storage engine for one call: collections, the root document, and the actions that they add up to.

Made when a guest first asks for it and dropped with the call, so no action and no clock of one call reaches another.
Everything is written to the call's overlay, never to a store.
Source: core 0.10.0: crates/runtime/src/logic/host_functions/system.rs.
"""

from __future__ import annotations

from node.errors import DecodeError
from node.primitives import ZERO_ROOT, Hash
from node.runtime import faults
from node.runtime.call import GuestCall
from node.runtime.limits import MAX_ARTIFACT
from node.runtime.overlay import Overlay
from node.storage.action import Action
from node.storage.engine import Engine
from node.storage.env import guest_env
from node.storage.faults import Undecodable
from node.storage.index import ChildCache
from node.storage.js import JsHost, persist_root_state, read_root_state


class Journal:
    """``collections`` makes and opens them. ``flushed``: the guest has asked for its actions, so there is a delta."""

    def __init__(self, call: GuestCall, state: Overlay, children: ChildCache | None = None) -> None:
        env = guest_env(call.context_id, call.executor, call.now_ns, call.random_bytes)
        self.engine = Engine(state, env, cache=children)
        self.collections = JsHost(self.engine)
        self.flushed = False
        self._reported = 0

    def root_hash(self) -> Hash:
        """Full hash of the root, zero without one."""
        return self.engine.root_hash or ZERO_ROOT

    def root_document(self) -> bytes | None:
        return read_root_state(self.engine)

    def persist_root(self, document: bytes, created_at: int, updated_at: int) -> None:
        """Store the root document. Times are ns, 0 for unknown. Raises :class:`~node.errors.StorageError`.

        It is later than the one before whatever the clock says, else a clock that went back would lose it silently.
        """
        stored = self.engine.index.metadata(self.engine.env.root)
        if stored is not None and self.root_document() is not None:
            updated_at = max(updated_at, stored.updated_at)
        persist_root_state(self.engine, document, created_at, updated_at)

    def apply(self, artifact: bytes) -> list[tuple[Action, str]]:
        """Apply another node's delta; answers what was left out as stale or not allowed, with the reasons.

        Raises :class:`~node.errors.StorageError`.
        """
        try:
            return self.engine.sync(artifact).skipped
        except DecodeError as error:
            raise Undecodable(error) from error

    def flush(self) -> bool:
        """Whether there are actions since the last time. They stay: the artifact is made of all of them at the end."""
        self.flushed = True
        before, self._reported = self._reported, len(self.engine.pending.actions)
        return self._reported > before

    def close(self) -> bytes | None:
        """Write the tree to the overlay; the artifact of a flushed call. The engine is not to be used afterwards."""
        self.engine.close()
        if not self.flushed:
            return None
        artifact = self.engine.pending.take_actions()
        if len(artifact) > MAX_ARTIFACT:
            raise faults.too_much("bytes of the artifact", MAX_ARTIFACT)
        return artifact
