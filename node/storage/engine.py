"""The engine put together: an interface that knows how to merge, and what ends an execution.

Source: core 0.10.0: crates/storage/src/collections/root.rs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.primitives import EntityId, Hash
from node.storage.action import Action, Add, Compare, Update
from node.storage.compare import compare_affective, describe
from node.storage.delta import Actions, decode_artifact
from node.storage.entities import Metadata
from node.storage.env import INTEROP, Env, Rules
from node.storage.faults import ActionRefused, UnexpectedId
from node.storage.index import ChildCache
from node.storage.interface import Interface
from node.storage.merge import merge_entity
from node.storage.rows import Rows


@dataclass(frozen=True, slots=True)
class Commit:
    """What a module hands to its host at the end: the root and the artifact, which may be empty."""

    root_hash: Hash
    artifact: bytes


@dataclass(slots=True)
class SyncReport:
    """What became of an artifact. ``skipped`` are actions that were refused one by one, with the reasons."""

    commit: Commit | None = None
    skipped: list[tuple[Action, str]] = field(default_factory=list)


class Engine(Interface):
    """The storage of one context for one execution."""

    def __init__(self, rows: Rows, env: Env, rules: Rules = INTEROP, cache: ChildCache | None = None) -> None:
        super().__init__(rows, env, merge_entity, rules, cache)

    def commit(self) -> Commit | None:
        """End a call: root hash and artifact, None without a root. Raises StorageError if both kinds are pending."""
        root_hash = self.root_hash
        if root_hash is None:
            return None
        artifact = self.pending.take_artifact()
        self.flush()
        return Commit(root_hash, artifact)

    def commit_root(self, entity: EntityId, data: bytes, metadata: Metadata) -> Commit | None:
        """Save the root entity and end the call. Raises :class:`UnexpectedId` for any other entity."""
        if entity != self.env.root:
            raise UnexpectedId(entity)
        return self.commit() if self.save_raw(entity, data, metadata) is not None else None

    def flush_delta(self) -> Commit:
        """End a JavaScript call: only actions go into the artifact; without a root its hash is zero."""
        artifact = self.pending.take_actions()
        self.flush()
        return Commit(self.root_hash or Hash.zero(), artifact)

    def sync(self, artifact: bytes) -> SyncReport:
        """Apply another node's artifact.

        Raises :class:`DecodeError` for bytes that are none, and what :meth:`apply_action` raises unless the rules say
        to skip a refused action; nothing may be written then.
        """
        delta, report = decode_artifact(artifact), SyncReport()
        if isinstance(delta, Actions):
            self._sync_actions(delta.actions, report)
        elif not delta.comparisons:
            self.pending.compare(describe(self, self.env.root))
        else:
            for comparison in delta.comparisons:
                compare_affective(self, comparison)
        report.commit = self.commit()
        return report

    def _sync_actions(self, actions: tuple[Action, ...], report: SyncReport) -> None:
        """In order; writes of the root wait for the end, and of several the last counts."""
        root: Add | Update | None = None
        for action in actions:
            if isinstance(action, Compare):
                self.pending.compare(describe(self, action.id))
            elif isinstance(action, Add | Update) and action.id == self.env.root:
                root = action
            else:
                self._apply_or_skip(action, report)
        if root is not None:
            self.save_raw(root.id, root.data, root.metadata)

    def _apply_or_skip(self, action: Action, report: SyncReport) -> None:
        if not self.rules.skip_refused:
            self.apply_action(action)
            return
        try:
            self.apply_action(action)
        except ActionRefused as error:
            report.skipped.append((action, str(error)))
