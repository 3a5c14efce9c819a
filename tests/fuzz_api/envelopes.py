"""Grammar of JSON-RPC: envelopes that are sound, wrong in one member, or nonsense, alone and in batches.

Nothing here knows what the answer should be; that is :mod:`tests.fuzz_api.calls`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from node.primitives import ContextId, PublicKey

__all__ = ["Known", "batches", "bodies", "envelopes", "json_values", "messages", "texts"]

NOBODY: Final = str(ContextId(b"\x01" * 32))
_METHODS: Final = ("get", "set", "len", "entries", "init", "nope", "", "a\nb", "__calimero_sync_next", "x" * 257)

texts: Final = st.text(max_size=12)
json_values: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value."""


class Known:
    """Ids that exist on the node."""

    def __init__(self, contexts: dict[str, str]) -> None:
        self.contexts = contexts
        """Members by context."""

    def pairs(self) -> st.SearchStrategy[tuple[str, str]]:
        """A context and an executor, nearly always of that context."""
        real = st.sampled_from(sorted(self.contexts.items()))
        return real | real | st.sampled_from([(NOBODY, str(PublicKey(b"\x02" * 32))), *self._crossed()])

    def _crossed(self) -> list[tuple[str, str]]:
        return [(context, other) for context in self.contexts for other in self.contexts.values()]


def _arguments() -> st.SearchStrategy[Any]:
    entry = st.fixed_dictionaries({"key": st.sampled_from("abc") | texts, "value": texts})
    return entry | st.just({}) | json_values


@st.composite
def envelopes(draw: st.DrawFn, known: Known) -> Any:
    """One request, sound or wrong in a member of the envelope or of its params."""
    context, member = draw(known.pairs())
    params: dict[str, Any] = {
        "contextId": context,
        "method": draw(st.sampled_from(_METHODS)),
        "argsJson": draw(_arguments()),
        "executorPublicKey": member,
    }
    if draw(st.booleans()):
        params["substitute"] = draw(st.lists(st.sampled_from(["me", "nobody"]) | texts, max_size=3))
    whole: dict[str, Any] = {"jsonrpc": "2.0", "id": draw(_identities()), "method": "execute", "params": params}
    _spoil(draw, params)
    _spoil(draw, whole)
    return whole


def _identities() -> st.SearchStrategy[Any]:
    return st.integers(0, (1 << 64) - 1) | texts | st.none()


def _spoil(draw: st.DrawFn, members: dict[str, Any]) -> None:
    """One time in six a member is missing, is something else, or there is one too many."""
    if draw(st.integers(0, 5)):
        return
    name = draw(st.sampled_from([*members, "extra"]))
    if draw(st.booleans()):
        members.pop(name, None)
    else:
        members[name] = draw(json_values)


def batches(known: Known) -> st.SearchStrategy[Any]:
    return st.lists(envelopes(known) | json_values, max_size=6) | st.lists(envelopes(known), min_size=1, max_size=6)


def bodies(known: Known) -> st.SearchStrategy[bytes]:
    """Bytes of a request: an envelope, a batch, any JSON, JSON with a bad end, or no JSON."""
    sound = st.one_of(envelopes(known), envelopes(known), envelopes(known), batches(known), json_values).map(_encoded)
    cut = st.tuples(sound, st.integers(0, 30)).map(lambda pair: pair[0][: -pair[1] or None])
    deep = st.integers(1, 300).map(lambda depth: b"[" * depth + b"]" * depth)
    return sound | sound | sound | cut | deep | st.binary(max_size=40)


def messages(known: Known) -> st.SearchStrategy[str]:
    """Texts of WebSocket messages: subscriptions, wrong ones, and others."""
    contexts = st.lists(st.sampled_from([*known.contexts, NOBODY, "0", ""]) | texts, max_size=5)
    request = st.fixed_dictionaries(
        {"method": st.sampled_from(["subscribe", "unsubscribe", "execute"]) | json_values},
        optional={
            "id": _identities() | json_values,
            "params": st.fixed_dictionaries({}, optional={"contextIds": contexts | json_values}) | json_values,
        },
    )
    return (request | json_values).map(lambda value: _encoded(value).decode()) | texts


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
