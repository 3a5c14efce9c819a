"""Between the rows of the store and the records of messages. Field by field, nothing else."""

from __future__ import annotations

from node.context.owner.apply import ApplyReport, Received
from node.context.owner.content import payload_in
from node.context.owner.owner import ContextOwner, HeadsView, Waiting
from node.dag.delta import CausalDelta
from node.primitives import ApplicationId, BlobId, PublicKey
from node.storage.delta import artifact_from_payload
from node.store.values import ApplicationMeta, BlobMeta, ContextConfig, ContextIdentity
from workers.messages.records import (
    ApplicationRecord,
    BlobRecord,
    ConfigRecord,
    ContextRecord,
    DeltaRecord,
    Heads,
    MemberRecord,
    OwnedIdentity,
    PendingRecord,
)
from workers.messages.runtime import ApplyReport as ApplyAnswer
from workers.messages.runtime import Rejection

NO_CONFIG = ConfigRecord("", "", "", "")
"""Of a context whose Config row is missing, as an imported home may have it."""


def application_meta(record: ApplicationRecord) -> ApplicationMeta:
    """``compiled`` stays zero: native code lies in a cache of its own."""
    return ApplicationMeta(
        record.blob_id,
        record.size,
        record.source,
        record.metadata,
        BlobId.zero(),
        record.package,
        record.version,
        record.signer_id,
    )


def application_record(application_id: ApplicationId, meta: ApplicationMeta) -> ApplicationRecord:
    return ApplicationRecord(
        application_id,
        meta.bytecode,
        meta.size,
        meta.source,
        meta.metadata,
        meta.package,
        meta.version,
        meta.signer_id,
    )


def blob_meta(record: BlobRecord) -> BlobMeta:
    return BlobMeta(record.size, record.hash, tuple(record.links))


def blob_record(blob_id: BlobId, meta: BlobMeta) -> BlobRecord:
    return BlobRecord(blob_id, meta.size, meta.hash, list(meta.links))


def config_value(record: ConfigRecord) -> ContextConfig:
    return ContextConfig(
        record.protocol,
        record.network,
        record.contract,
        record.proxy_contract,
        record.application_revision,
        record.members_revision,
    )


def config_record(config: ContextConfig | None) -> ConfigRecord:
    if config is None:
        return NO_CONFIG
    return ConfigRecord(
        config.protocol,
        config.network,
        config.contract,
        config.proxy_contract,
        config.application_revision,
        config.members_revision,
    )


def heads_record(view: HeadsView) -> Heads:
    return Heads(view.root, list(view.heads), view.pending, view.missing)


def context_record(owner: ContextOwner) -> ContextRecord:
    state = owner.state
    return ContextRecord(
        owner.context_id,
        state.meta.application_id,
        state.meta.root_hash,
        list(state.meta.dag_heads),
        config_record(state.config),
        state.dag.pending_count,
        len(state.dag),
    )


def member_record(member: PublicKey, identity: ContextIdentity) -> MemberRecord:
    return MemberRecord(member, identity.private_key is not None, identity.sender_key is not None)


def owned_identity(member: PublicKey, identity: ContextIdentity) -> OwnedIdentity | None:
    """None for a member whose private key is elsewhere."""
    if identity.private_key is None:
        return None
    return OwnedIdentity(member, identity.private_key, identity.sender_key)


def identity_value(record: OwnedIdentity) -> ContextIdentity:
    return ContextIdentity(record.private_key, record.sender_key)


def delta_record(delta: CausalDelta, author: PublicKey | None, *, listing: bool = False) -> DeltaRecord:
    """``listing`` leaves the artifact out."""
    artifact = b"" if listing else artifact_from_payload(delta.payload)
    return DeltaRecord(
        delta.id, list(delta.parents), delta.hlc, delta.expected_root_hash, artifact, author, delta.events
    )


def received(record: DeltaRecord) -> Received:
    """Raises :class:`InvalidDelta` for an artifact that holds no actions."""
    payload = payload_in(record.artifact)
    delta = CausalDelta(record.id, tuple(record.parents), payload, record.hlc, record.root, record.events)
    return Received(delta, record.author)


def apply_answer(report: ApplyReport, view: HeadsView) -> ApplyAnswer:
    return ApplyAnswer(
        report.applied,
        report.pending,
        report.duplicates,
        [Rejection(delta_id, reason) for delta_id, reason in report.rejected],
        heads_record(view),
    )


def pending_record(waiting: Waiting) -> PendingRecord:
    return PendingRecord(waiting.id, waiting.missing, waiting.since_ns, waiting.waits_for, waiting.error)
