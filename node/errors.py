"""The exception tree of the node. Every error says who broke the rule, names the thing, and keeps its cause.

CalimeroError
├ InvalidId                       text or bytes that are no id
├ ConfigError                     config.toml, flags or environment
├ CodecError ── DecodeError(offset, field)
├ CryptoError ── SealError · InvalidSignature
├ ProtocolError ── LocalProtocolError · RemoteProtocolError(peer, score)
├ DagError ── InvalidDelta · PendingLimit
├ StorageError ── NotFound · MergeConflict · IndexMismatch · StoreUnusable
├ ContextError ── UnknownContext · Uninitialized · NotAMember · Unauthorized · StateInconsistency ·
│                 ApplicationNotInstalled · AliasResolutionFailed · RegistryError ── RegistryUnreachable ·
│                 InvalidInvitation · BundleError
├ FunctionCallError ── CompilationError · LinkError · MethodResolutionError · WasmTrap · HostError · ExecutionError ·
│                      ModuleSizeLimitExceeded
├ AuthError ── Unauthenticated · Forbidden
├ WorkerError ── WorkerLost · Busy · DeadlineExceeded
├ ClientError ── Unreachable · Refused
└ RecipeError ── ParseError(span) · LintError(span) · AssertionFailed(diff) · Unsupported
"""

from __future__ import annotations

from dataclasses import dataclass


class CalimeroError(Exception):
    """Base of every error that this project raises on purpose. ``str()`` is a message for a person."""


class InvalidId(CalimeroError, ValueError):
    """Text or bytes that are no id of the wanted type."""


class ConfigError(CalimeroError):
    """A setting that is missing, unknown or out of range; the message names the key and the cure."""


class CodecError(CalimeroError):
    """Bytes that do not have the declared form, or a value that cannot be given it."""


class DecodeError(CodecError):
    """Foreign bytes were refused. ``offset`` is in bytes from the start of the buffer, ``field`` a dotted path."""

    def __init__(self, message: str, *, offset: int, field: str) -> None:
        super().__init__(f"{message} (field {field or '<root>'}, offset {offset})")
        self.offset = offset
        self.field = field


class CryptoError(CalimeroError):
    """A key, seal or signature that cannot be used."""


class SealError(CryptoError):
    """A sealed payload does not open with the key at hand."""


class InvalidSignature(CryptoError):
    """A signature does not verify under the claimed key."""


class ProtocolError(CalimeroError):
    """A peer protocol was broken."""


class LocalProtocolError(ProtocolError):
    """This node tried to break the protocol: a bug here, nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol. ``score`` is what it costs the peer."""

    def __init__(self, message: str, *, peer: str = "", score: int = 1) -> None:
        super().__init__(message)
        self.peer = peer
        self.score = score


class DagError(CalimeroError):
    """The causal graph refused a delta."""


class InvalidDelta(DagError):
    """A delta that can never be applied: wrong id, no parents, its own parent, clock beyond the drift limit."""


class PendingLimit(DagError):
    """The bounded set of waiting deltas is full."""


class StorageError(CalimeroError):
    """State could not be read, merged or written."""


class NotFound(StorageError):
    """A named row or entity does not exist."""


class MergeConflict(StorageError):
    """Two values that their type does not allow to be merged."""


class IndexMismatch(StorageError):
    """An entity and its index disagree."""


class StoreUnusable(StorageError):
    """The database directory is foreign, torn, or open in another process; the message says what to do."""


class ContextError(CalimeroError):
    """A context refused an operation."""


class UnknownContext(ContextError):
    """No context with this id on this node."""


class Uninitialized(ContextError):
    """The context has no state here yet; it is still being fetched from a member."""


class NotAMember(ContextError):
    """The identity is not a member of the context."""


class Unauthorized(ContextError):
    """The node does not hold private and sender key of the executor in this context."""


class StateInconsistency(ContextError):
    """A call changed the root without producing actions; it was discarded whole."""


class ApplicationNotInstalled(ContextError):
    """The application of the context is not on this node."""


class AliasResolutionFailed(ContextError):
    """An alias in ``substitute`` names no identity."""


class RegistryError(ContextError):
    """The registry (relayer) refused or could not be reached."""


class RegistryUnreachable(RegistryError):
    """Nobody answers at the registry's address: nothing is known of what became of the request."""


class InvalidInvitation(ContextError):
    """An invitation that is truncated, forged, expired, replayed or for someone else."""


class BundleError(ContextError):
    """An application bundle that is unsafe, unsigned or damaged."""


class FunctionCallError(CalimeroError):
    """A call into an application failed. ``str()`` is the reference's Display text, which clients parse."""


class CompilationError(FunctionCallError):
    """The bytes are no WebAssembly module that this node accepts."""


class LinkError(FunctionCallError):
    """The module imports something that the host does not offer."""


class MethodResolutionError(FunctionCallError):
    """The method name is invalid, unknown, or of the wrong type."""


class WasmTrap(FunctionCallError):
    """The guest trapped: unreachable, memory access, stack, deadline."""


class HostError(FunctionCallError):
    """A host function refused its arguments or a limit was hit."""


class ExecutionError(FunctionCallError):
    """The method returned an application error; ``payload`` holds its bytes (JSON for SDK apps)."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(f"the method call returned an error: [{', '.join(map(str, payload))}]")
        self.payload = payload


class ModuleSizeLimitExceeded(FunctionCallError):
    """The module is larger than the reference accepts."""


class AuthError(CalimeroError):
    """A request was refused by the guard."""


class Unauthenticated(AuthError):
    """No valid token."""


class Forbidden(AuthError):
    """A valid token without the needed permission."""


class WorkerError(CalimeroError):
    """A worker process could not answer."""


class WorkerLost(WorkerError):
    """The worker died while it held the request."""


class Busy(WorkerError):
    """The channel to the worker is full; try again."""


class DeadlineExceeded(WorkerError):
    """No answer within the deadline."""


class ClientError(CalimeroError):
    """The surface could not get an answer from a node."""


class Unreachable(ClientError):
    """Nothing listens at the node's address."""


class Refused(ClientError):
    """The node answered with an error. ``kind`` is its error type, ``status`` the HTTP status."""

    def __init__(self, message: str, *, kind: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text file: 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class RecipeError(CalimeroError):
    """A recipe cannot be read or did not hold."""

    def __init__(self, message: str, *, span: Span | None = None) -> None:
        super().__init__(f"{span}: {message}" if span else message)
        self.span = span


class ParseError(RecipeError):
    """The recipe is not well-formed."""


class LintError(RecipeError):
    """The recipe is well-formed but cannot run: unknown step, unknown variable, wrong type."""


class AssertionFailed(RecipeError):
    """An assertion of the recipe does not hold; ``diff`` shows expected and actual."""

    def __init__(self, message: str, *, diff: str = "", span: Span | None = None) -> None:
        super().__init__(message, span=span)
        self.diff = diff


class Unsupported(RecipeError):
    """The recipe asks for something that this program does not do."""
