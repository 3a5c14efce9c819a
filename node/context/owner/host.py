"""What the owner of a context is given by the process around it: a guest, applications, time, randomness, listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from node.events import Notice, StateMutation
from node.primitives import ApplicationId, ContextId, Hash
from node.runtime.call import Guest, Services


@dataclass(frozen=True, slots=True)
class Runnable:
    """An installed application: SHA-256 of its bytecode, and the bytecode when it must be compiled."""

    module: Hash
    bytecode: Callable[[], bytes]


Listener: TypeAlias = Callable[[StateMutation | Notice], None]


def _no_services(context_id: ContextId) -> Services | None:
    return None


def _nobody(event: StateMutation | Notice) -> None:
    """The listener of a node that nobody observes."""


@dataclass(frozen=True, slots=True)
class Host:
    """``applications`` answers None while an application or its bytecode is not on this node.

    ``now_ns`` is unix time in nanoseconds; ``random_bytes`` the only source of randomness; ``services`` what guests of
    a context may ask; ``notify`` hears of new roots, in the order in which they became durable.
    """

    guest: Guest
    applications: Callable[[ApplicationId], Runnable | None]
    now_ns: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    services: Callable[[ContextId], Services | None] = _no_services
    notify: Listener = _nobody
