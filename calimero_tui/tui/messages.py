"""All messages between background workers, screens and the app: one table. They carry values, never widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.message import Message

from calimero_tui.actions.base import Action
from calimero_tui.tui.model.activity import Happening
from calimero_tui.tui.model.call import Answer, Call
from calimero_tui.tui.model.snapshot import Details, Snapshot


class Observed(Message):
    """From a reader: a node was read."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class Happened(Message):
    """From a stream: events of a node; ``lost`` more came than were kept."""

    def __init__(self, url: str, rows: Sequence[Happening], lost: int) -> None:
        super().__init__()
        self.url, self.rows, self.lost = url, rows, lost


class DetailsRead(Message):
    """From a reader: one context on one node."""

    def __init__(self, details: Details) -> None:
        super().__init__()
        self.details = details


class CallWanted(Message):
    """From the call form: run this call."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


class CallAnswered(Message):
    """To the call form's model: a call has ended."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class ActionWanted(Message):
    """From the palette: run an action with the values that were given."""

    def __init__(self, action: Action, given: Mapping[str, object]) -> None:
        super().__init__()
        self.action, self.given = action, given


class ActionEnded(Message):
    """An action has a result or an error."""

    def __init__(self, action: Action, value: object, error: str = "") -> None:
        super().__init__()
        self.action, self.value, self.error = action, value, error


class ScreenWanted(Message):
    """From a screen: open another one."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class SyncWanted(Message):
    """From a screen: sync the chosen context on the chosen node."""


class PingWanted(Message):
    """From the peers screen: measure the round trip to a peer."""

    def __init__(self, peer: str) -> None:
        super().__init__()
        self.peer = peer


class DetailsWanted(Message):
    """From a screen: the context that is looked at is another one; read it now, not at the next turn."""


class ShowWanted(Message):
    """From a screen: show all of a value."""

    def __init__(self, title: str, value: object) -> None:
        super().__init__()
        self.title, self.value = title, value


class PastWanted(Message):
    """From the contexts screen: look at a delta of the chosen context."""

    def __init__(self, delta: str) -> None:
        super().__init__()
        self.delta = delta
