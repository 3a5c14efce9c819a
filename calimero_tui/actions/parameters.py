"""Parameters that several actions share."""

from __future__ import annotations

from typing import Final

from calimero_tui.actions.base import Kind, Parameter, Session, Source
from node.errors import Refused

CONTEXT: Final = Parameter(
    "context", "id of the context; may be left out where the node has one", default=None, source=Source.CONTEXTS
)
CONTEXT_OPTION: Final = Parameter(
    "context", "id of the context; may be left out where the node has one", default=None,
    source=Source.CONTEXTS, option=True,
)  # fmt: skip
EXECUTOR: Final = Parameter(
    "executor", "identity that acts; default: this node's first one in the context", default=None,
    source=Source.OWNED, option=True,
)  # fmt: skip
APPLICATION: Final = Parameter("application", "id of an installed application", source=Source.APPLICATIONS)
METADATA: Final = Parameter("metadata", "text kept beside the application", default="", option=True)
LIMIT: Final = Parameter("limit", "rows at most", kind=Kind.INTEGER, default=50, option=True)


async def context_of(session: Session, given: object) -> str:
    """The context that is meant: the given one, the session's, or the only one there is.

    A beginning of an id of at least 4 characters is enough where it fits one context. Raises :class:`Refused`.
    """
    wanted = str(given or session.context_id or "")
    if len(wanted) >= 32:
        return wanted
    known = [context.id for context in await session.node.contexts()]
    if not wanted:
        if len(known) == 1:
            return known[0]
        raise Refused(_which(known), kind="argument")
    fitting = [context_id for context_id in known if context_id.startswith(wanted)]
    if len(wanted) < 4 or len(fitting) != 1:
        raise Refused(
            f"{wanted!r} fits {len(fitting)} contexts of {session.node.url}; {_which(known)}", kind="argument"
        )
    return fitting[0]


def _which(known: list[str]) -> str:
    if not known:
        return "the node has no context; create one with `calimero context create APPLICATION` or join one"
    return f"name one of its contexts: {', '.join(known[:5])}{' …' if len(known) > 5 else ''}"


async def executor_of(session: Session, context_id: str, given: object) -> str:
    """The identity that acts: the given one, the session's, or the node's first in the context."""
    wanted = given or session.executor
    if wanted:
        return str(wanted)
    owned = await session.node.owned(context_id)
    if not owned:
        raise Refused(f"{session.node.url} has no identity in context {context_id}; join it first", kind="argument")
    return owned[0]
