"""The operations of a runtime worker, in one table: request type to handler.

Each handler turns records into values, calls the owner of the context or the node's rows, and turns the result back.
Rules live in ``node``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from node.codec import borsh
from node.context.owner import lifecycle
from node.context.owner.apply import RELEASE_SLICE
from node.context.owner.host import Runnable
from node.context.owner.owner import ContextOwner
from node.context.owner.past import Past
from node.context.owner.repair import Part
from node.context.owner.snapshot import page
from node.dag.history import Difference, Version
from node.errors import ApplicationNotInstalled, CalimeroError, DecodeError, InvalidDelta
from node.primitives import EntityId
from workers.messages import runtime as m
from workers.messages.base import Done, Message, Request
from workers.messages.records import ApplicationRecord, DeltaRecord, Heads
from workers.runtime import convert
from workers.runtime.aliases import substitute
from workers.runtime.worker import RuntimeWorker

R = TypeVar("R", bound=Request[Any])
Operation = Callable[[RuntimeWorker, Any], Message]

OPERATIONS: Final[dict[type[Request[Any]], Operation]] = {}
"""Filled by the handlers below; a message of ``workers.messages.runtime`` without an entry is a mistake (tested)."""

DONE: Final = Done()
MAX_PAGE_ROWS: Final = 1000
"""Rows of one page of the inspector or of a delta listing, whatever is asked for."""


def serves(kind: type[R]) -> Callable[[Callable[[RuntimeWorker, R], Message]], Callable[[RuntimeWorker, R], Message]]:
    def enter(handler: Callable[[RuntimeWorker, R], Message]) -> Callable[[RuntimeWorker, R], Message]:
        OPERATIONS[kind] = handler
        return handler

    return enter


# execution


@serves(m.Execute)
def execute(worker: RuntimeWorker, op: m.Execute) -> m.Executed:
    owner = worker.contexts.get(op.context_id)
    args = substitute(op.args, op.substitute, op.context_id, worker.rows) if op.substitute else op.args
    result, micros = worker.execute(owner, op.method, args, op.executor)
    return m.Executed(result.returns, result.root, result.logs, micros, result.fuel)


# lifecycle


@serves(m.InitContext)
def init_context(worker: RuntimeWorker, op: m.InitContext) -> Heads:
    _install(worker, op.application)
    runnable = _runnable(worker, op.application)
    identity, keys = op.identity.public_key, convert.identity_value(op.identity)
    staged = lifecycle.initialise(
        op.context_id, op.application.id, runnable, identity, keys, op.args, worker.host, worker.contexts.clock()
    )
    worker.contexts.stage(staged)
    return Heads(staged.root, [staged.genesis.id])


@serves(m.CommitContext)
def commit_context(worker: RuntimeWorker, op: m.CommitContext) -> Done:
    worker.contexts.commit(op.context_id, convert.config_value(op.config))
    worker.notice("context", "created", op.context_id)
    return DONE


@serves(m.AbortContext)
def abort_context(worker: RuntimeWorker, op: m.AbortContext) -> Done:
    worker.contexts.abort(op.context_id)
    return DONE


@serves(m.AdoptContext)
def adopt_context(worker: RuntimeWorker, op: m.AdoptContext) -> Done:
    if op.application is not None:
        _install(worker, op.application)
    keys = convert.identity_value(op.identity)
    lifecycle.adopt(
        worker.store(op.context_id),
        op.context_id,
        op.application_id,
        convert.config_value(op.config),
        op.members,
        op.identity.public_key,
        keys,
    )
    worker.contexts.forget(op.context_id)
    worker.notice("context", "joined", op.context_id)
    return DONE


@serves(m.UpdateContext)
def update_context(worker: RuntimeWorker, op: m.UpdateContext) -> Done:
    if op.application is not None:
        _install(worker, op.application)
    owner = worker.contexts.get(op.context_id)
    owner.update(convert.config_value(op.config), op.members, op.application_id)
    return DONE


@serves(m.UpgradeContext)
def upgrade_context(worker: RuntimeWorker, op: m.UpgradeContext) -> Heads:
    _install(worker, op.application)
    owner = worker.contexts.get(op.context_id)
    runnable = _runnable(worker, op.application)
    delta = owner.upgrade(op.application.id, runnable, op.executor, op.migrate)
    if delta is not None:
        worker.ports.tell("sync", m.DeltaCommitted(op.context_id, convert.delta_record(delta, op.executor)))
    worker.prepare(op.application.id)
    return convert.heads_record(owner.heads())


@serves(m.DeleteContext)
def delete_context(worker: RuntimeWorker, op: m.DeleteContext) -> Done:
    worker.contexts.forget(op.context_id)
    worker.contexts.abort(op.context_id)
    if lifecycle.delete(worker.store(op.context_id), op.context_id):
        worker.notice("context", "deleted", op.context_id)
    return DONE


@serves(m.DescribeContext)
def describe_context(worker: RuntimeWorker, op: m.DescribeContext) -> m.ContextDescription:
    return m.ContextDescription(convert.context_record(worker.contexts.get(op.context_id)))


@serves(m.ListContexts)
def list_contexts(worker: RuntimeWorker, op: m.ListContexts) -> m.ContextList:
    """A context that cannot be loaded is left out; it was reported when that was found."""
    found = []
    for context_id in worker.contexts.ids():
        try:
            found.append(convert.context_record(worker.contexts.get(context_id)))
        except CalimeroError:
            worker.counts["contexts left out"] += 1
    return m.ContextList(found)


@serves(m.ListMembers)
def list_members(worker: RuntimeWorker, op: m.ListMembers) -> m.MemberList:
    members = worker.contexts.get(op.context_id).state.members
    return m.MemberList([convert.member_record(member, identity) for member, identity in members.items()])


@serves(m.GetKeys)
def get_keys(worker: RuntimeWorker, op: m.GetKeys) -> m.KeyList:
    members = worker.contexts.get(op.context_id).state.members
    owned = [found for member, keys in members.items() if (found := convert.owned_identity(member, keys)) is not None]
    others = [m.SenderKey(member, keys.sender_key) for member, keys in members.items() if keys.sender_key is not None]
    return m.KeyList(owned, others)


@serves(m.StoreSenderKey)
def store_sender_key(worker: RuntimeWorker, op: m.StoreSenderKey) -> Done:
    worker.contexts.get(op.context_id).store_sender_key(op.member, op.key)
    return DONE


def _install(worker: RuntimeWorker, application: ApplicationRecord) -> None:
    worker.rows.put_application(application)
    worker.applications.changed(application.id)


def _runnable(worker: RuntimeWorker, application: ApplicationRecord) -> Runnable:
    found = worker.applications(application.id)
    if found is None:
        raise ApplicationNotInstalled(f"application {application.id} is not complete on this node")
    return found


# deltas


@serves(m.ApplyDeltas)
def apply_deltas(worker: RuntimeWorker, op: m.ApplyDeltas) -> m.ApplyReport:
    owner = worker.contexts.get(op.context_id)
    received, refused = [], []
    for record in op.deltas:
        try:
            received.append(convert.received(record))
        except (InvalidDelta, DecodeError) as error:
            refused.append(m.Rejection(record.id, str(error)))
    report = owner.apply(received, op.source, limit=RELEASE_SLICE)
    worker.look_after(owner)
    answer = convert.apply_answer(report, owner.heads())
    return m.ApplyReport(answer.applied, answer.pending, answer.duplicates, [*answer.rejected, *refused], answer.state)


@serves(m.GetHeads)
def get_heads(worker: RuntimeWorker, op: m.GetHeads) -> Heads:
    return convert.heads_record(worker.contexts.get(op.context_id).heads())


@serves(m.GetDeltas)
def get_deltas(worker: RuntimeWorker, op: m.GetDeltas) -> m.DeltaBatch:
    return m.DeltaBatch(worker.contexts.get(op.context_id).wire_deltas(op.ids))


@serves(m.SamplePast)
def sample_past(worker: RuntimeWorker, op: m.SamplePast) -> m.DeltaIds:
    return m.DeltaIds(list(worker.contexts.get(op.context_id).repair.sample()))


@serves(m.GetLacking)
def get_lacking(worker: RuntimeWorker, op: m.GetLacking) -> m.DeltaBatch:
    found = worker.contexts.get(op.context_id).repair.lacking(op.have, op.limit, op.max_bytes)
    return m.DeltaBatch(list(found))


@serves(m.GetUnknown)
def get_unknown(worker: RuntimeWorker, op: m.GetUnknown) -> m.UnknownDeltas:
    dag = worker.contexts.get(op.context_id).state.dag
    return m.UnknownDeltas([delta_id for delta_id in op.ids if delta_id not in dag])


@serves(m.ListPending)
def list_pending(worker: RuntimeWorker, op: m.ListPending) -> m.PendingList:
    return m.PendingList([convert.pending_record(item) for item in worker.contexts.get(op.context_id).pending()])


@serves(m.ListDeltas)
def list_deltas(worker: RuntimeWorker, op: m.ListDeltas) -> m.DeltaPage:
    owner = worker.contexts.get(op.context_id)
    found, cursor = owner.past.window(op.after, _bounded(op.limit))
    return m.DeltaPage([_listed(owner, delta) for delta in found], cursor)


def _listed(owner: ContextOwner, delta: Any) -> DeltaRecord:
    origin = owner.state.rows.origin(delta.id)
    return convert.delta_record(delta, origin.author if origin else None, listing=True)


@serves(m.StateAt)
def state_at(worker: RuntimeWorker, op: m.StateAt) -> m.EntryList:
    past = worker.contexts.get(op.context_id).past
    return m.EntryList([_version(past, entity, v) for entity, v in sorted(past.entries(op.delta_id).items())])


@serves(m.BlameEntry)
def blame_entry(worker: RuntimeWorker, op: m.BlameEntry) -> m.EntryList:
    past = worker.contexts.get(op.context_id).past
    return m.EntryList([_version(past, op.entity, version) for version in past.writes(op.entity)])


@serves(m.CompareDeltas)
def compare_deltas(worker: RuntimeWorker, op: m.CompareDeltas) -> m.DeltaDifference:
    past = worker.contexts.get(op.context_id).past
    return m.DeltaDifference([_difference(past, row) for row in past.difference(op.old, op.new)])


def _difference(past: Past, row: Difference) -> m.EntryDifference:
    before = None if row.before is None else _version(past, row.entity, row.before)
    after = None if row.after is None else _version(past, row.entity, row.after)
    return m.EntryDifference(row.entity, before, after)


def _version(past: Past, entity: EntityId, version: Version) -> m.EntryVersion:
    return m.EntryVersion(entity, version.data, version.at_ns, version.delta_id, past.author(version.delta_id))


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE_ROWS))


# snapshots and trees


@serves(m.OpenSnapshot)
def open_snapshot(worker: RuntimeWorker, op: m.OpenSnapshot) -> m.SnapshotHandle:
    handle, found = worker.contexts.get(op.context_id).snapshots.open()
    return m.SnapshotHandle(handle, found.root, list(found.heads), found.rows)


@serves(m.ReadSnapshot)
def read_snapshot(worker: RuntimeWorker, op: m.ReadSnapshot) -> m.SnapshotRows:
    rows, following = worker.contexts.get(op.context_id).snapshots.read(op.handle, op.after, op.byte_limit)
    return m.SnapshotRows([m.SnapshotRow(key, value) for key, value in rows], following)


@serves(m.CloseSnapshot)
def close_snapshot(worker: RuntimeWorker, op: m.CloseSnapshot) -> Done:
    worker.contexts.get(op.context_id).snapshots.close(op.handle)
    return DONE


@serves(m.BeginInstall)
def begin_install(worker: RuntimeWorker, op: m.BeginInstall) -> Done:
    worker.contexts.get(op.context_id).installer.begin(op.root, op.heads)
    return DONE


@serves(m.PutSnapshotRows)
def put_snapshot_rows(worker: RuntimeWorker, op: m.PutSnapshotRows) -> Done:
    worker.contexts.get(op.context_id).installer.put((row.key, row.value) for row in op.rows)
    return DONE


@serves(m.FinishInstall)
def finish_install(worker: RuntimeWorker, op: m.FinishInstall) -> Heads:
    owner = worker.contexts.get(op.context_id)
    view = owner.finish_install(RELEASE_SLICE)
    worker.look_after(owner)
    worker.state_changed(owner)
    return convert.heads_record(view)


@serves(m.AbortInstall)
def abort_install(worker: RuntimeWorker, op: m.AbortInstall) -> Done:
    worker.contexts.get(op.context_id).installer.abort()
    return DONE


@serves(m.GetTreeNodes)
def get_tree_nodes(worker: RuntimeWorker, op: m.GetTreeNodes) -> m.TreeNodes:
    owner = worker.contexts.get(op.context_id)
    return m.TreeNodes(owner.tree.nodes(op.node, op.depth), owner.state.meta.root_hash)


@serves(m.ApplyLeaves)
def apply_leaves(worker: RuntimeWorker, op: m.ApplyLeaves) -> Heads:
    owner = worker.contexts.get(op.context_id)
    owner.merge(op.leaves)
    return convert.heads_record(owner.heads())


@serves(m.GetPlaces)
def get_places(worker: RuntimeWorker, op: m.GetPlaces) -> m.Places:
    owner = worker.contexts.get(op.context_id)
    found = owner.repair.places(op.entities)
    return m.Places(owner.state.meta.root_hash, [None if place is None else borsh.encode(place) for place in found])


@serves(m.GetBuckets)
def get_buckets(worker: RuntimeWorker, op: m.GetBuckets) -> m.BucketDigests:
    owner = worker.contexts.get(op.context_id)
    found = owner.repair.buckets_of(op.wanted)
    return m.BucketDigests(owner.state.meta.root_hash, [(each.bits, each.digests) for each in found])


@serves(m.GetChildRows)
def get_child_rows(worker: RuntimeWorker, op: m.GetChildRows) -> m.ChildRows:
    owner = worker.contexts.get(op.context_id)
    found = owner.repair.rows_of(Part(*part) for part in op.parts)
    listed = [[(row.id, row.created_at, row.full_hash) for row in rows] for rows in found]
    return m.ChildRows(owner.state.meta.root_hash, listed)


@serves(m.AdoptHeads)
def adopt_heads(worker: RuntimeWorker, op: m.AdoptHeads) -> Heads:
    owner = worker.contexts.get(op.context_id)
    view = owner.adopt_heads(op.root, op.heads)
    worker.look_after(owner)
    return convert.heads_record(view)


@serves(m.InspectState)
def inspect_state(worker: RuntimeWorker, op: m.InspectState) -> m.StatePage:
    rows, following = page(worker.contexts.get(op.context_id).state.rows, op.after, 1 << 20, _bounded(op.limit))
    return m.StatePage([m.SnapshotRow(key, value) for key, value in rows], following)


# node-wide rows


@serves(m.PutApplication)
def put_application(worker: RuntimeWorker, op: m.PutApplication) -> Done:
    _install(worker, op.application)
    worker.prepare(op.application.id)
    worker.retry(now=True)
    return DONE


@serves(m.GetApplication)
def get_application(worker: RuntimeWorker, op: m.GetApplication) -> m.ApplicationAnswer:
    meta = worker.rows.application(op.id)
    return m.ApplicationAnswer(None if meta is None else convert.application_record(op.id, meta))


@serves(m.ListApplications)
def list_applications(worker: RuntimeWorker, op: m.ListApplications) -> m.ApplicationList:
    return m.ApplicationList(worker.rows.applications())


@serves(m.RemoveApplication)
def remove_application(worker: RuntimeWorker, op: m.RemoveApplication) -> Done:
    worker.rows.remove_application(op.id)
    worker.applications.changed(op.id)
    return DONE


@serves(m.TellGovernance)
def tell_governance(worker: RuntimeWorker, op: m.TellGovernance) -> Done:
    worker.tell_governance()
    return DONE


@serves(m.GovernanceDone)
def governance_done(worker: RuntimeWorker, op: m.GovernanceDone) -> Done:
    worker.governance_done(op.context_id, op.ticket)
    return DONE


@serves(m.PutBlobs)
def put_blobs(worker: RuntimeWorker, op: m.PutBlobs) -> Done:
    """The bytecode that a waiting delta needs may be among them."""
    worker.rows.put_blobs(op.blobs)
    worker.retry(now=True)
    return DONE


@serves(m.GetBlob)
def get_blob(worker: RuntimeWorker, op: m.GetBlob) -> m.BlobAnswer:
    meta = worker.rows.blob(op.id)
    return m.BlobAnswer(None if meta is None else convert.blob_record(op.id, meta))


@serves(m.ListBlobs)
def list_blobs(worker: RuntimeWorker, op: m.ListBlobs) -> m.BlobList:
    return m.BlobList(worker.rows.blobs())


@serves(m.RemoveBlobs)
def remove_blobs(worker: RuntimeWorker, op: m.RemoveBlobs) -> Done:
    worker.rows.remove_blobs(op.ids)
    return DONE


@serves(m.PutAlias)
def put_alias(worker: RuntimeWorker, op: m.PutAlias) -> Done:
    worker.rows.put_alias(op.kind, op.scope, op.name, op.target)
    return DONE


@serves(m.GetAlias)
def get_alias(worker: RuntimeWorker, op: m.GetAlias) -> m.AliasAnswer:
    return m.AliasAnswer(worker.rows.alias(op.kind, op.scope, op.name))


@serves(m.RemoveAlias)
def remove_alias(worker: RuntimeWorker, op: m.RemoveAlias) -> Done:
    worker.rows.remove_alias(op.kind, op.scope, op.name)
    return DONE


@serves(m.ListAliases)
def list_aliases(worker: RuntimeWorker, op: m.ListAliases) -> m.AliasList:
    return m.AliasList(worker.rows.aliases(op.kind, op.scope))


@serves(m.NewIdentity)
def new_identity(worker: RuntimeWorker, op: m.NewIdentity) -> m.IdentityAnswer:
    return m.IdentityAnswer(worker.rows.new_identity())


@serves(m.ReadIdentity)
def read_identity(worker: RuntimeWorker, op: m.ReadIdentity) -> m.PoolIdentity:
    return m.PoolIdentity(worker.rows.identity(op.public_key))


@serves(m.ListIdentities)
def list_identities(worker: RuntimeWorker, op: m.ListIdentities) -> m.IdentityList:
    return m.IdentityList(worker.rows.identities())


@serves(m.DropIdentity)
def drop_identity(worker: RuntimeWorker, op: m.DropIdentity) -> Done:
    worker.rows.drop_identity(op.public_key)
    return DONE


@serves(m.PutRow)
def put_row(worker: RuntimeWorker, op: m.PutRow) -> Done:
    worker.rows.put_row(op.scope, op.fragment, op.value)
    return DONE


@serves(m.GetRow)
def get_row(worker: RuntimeWorker, op: m.GetRow) -> m.RowAnswer:
    return m.RowAnswer(worker.rows.row(op.scope, op.fragment))


@serves(m.RuntimeStats)
def runtime_stats(worker: RuntimeWorker, op: m.RuntimeStats) -> m.RuntimeStatsAnswer:
    return m.RuntimeStatsAnswer(json.dumps(worker.stats()).encode())
