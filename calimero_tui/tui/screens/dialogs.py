"""What lies over a screen for a moment: help, a result, the form of an action's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from calimero_tui.actions.base import Action
from calimero_tui.tui.model.prompt import Prompt
from calimero_tui.tui.model.text import pretty
from calimero_tui.tui.widgets.facts import Facts

CLOSE: list[BindingType] = [Binding("escape,q", "dismiss(None)", "Close")]


class HelpScreen(ModalScreen[None]):
    """What the open screen is, and its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss(None)", "Close")]

    def __init__(self, title: str, about: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._about, self._keys = title, about, keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="heading", markup=False)
            with VerticalScroll(classes="inside"):
                yield Static(self._about, markup=False)
                yield Static("")
                yield Static("\n".join(f"{key:<12} {meaning}" for key, meaning in self._keys), markup=False)
            yield Label("Escape closes", classes="foot")


class ResultScreen(ModalScreen[None]):
    """A value, whole. ``c`` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [*CLOSE, Binding("c", "copy", "Copy")]

    def __init__(self, title: str, value: object, error: str = "") -> None:
        super().__init__()
        self._title, self._text, self._tone = title, error or pretty(value), "bad" if error else ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="heading", markup=False)
            yield Facts(id="result")
            yield Label("c copies · Escape closes", classes="foot")

    def on_mount(self) -> None:
        facts = self.query_one(Facts)
        facts.show([(line, self._tone) for line in self._text.splitlines()])
        facts.focus()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._text)
        self.notify("the whole text", title="copied", markup=False, timeout=3)


class PromptScreen(ModalScreen[Mapping[str, object] | None]):
    """Asks for the parameters of an action; Enter goes on, and runs it on the last field."""

    AUTO_FOCUS = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, action: Action, context_id: str | None) -> None:
        super().__init__()
        self._prompt = Prompt(action, context_id)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(f"{self._prompt.action.name}: {self._prompt.action.help}", classes="heading", markup=False)
            with VerticalScroll(classes="inside"):
                for field in self._prompt.fields:
                    yield Label(field.label, markup=False)
                    yield Input(field.text, id=f"field-{field.name}", placeholder=field.placeholder, compact=True)
            yield Label("", id="problem", markup=False)
            yield Label("Enter goes on · Escape cancels", classes="foot")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        place = inputs.index(event.input)
        if place + 1 < len(inputs):
            inputs[place + 1].focus()
            return
        given, problem = self._prompt.read({str(box.id).removeprefix("field-"): box.value for box in inputs})
        if problem:
            self.query_one("#problem", Label).update(problem)
        else:
            self.dismiss(given)
