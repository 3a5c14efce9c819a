"""The call form: context, method, executor and arguments; below them the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, TextArea

from calimero_tui.tui.messages import CallWanted, DetailsWanted
from calimero_tui.tui.model.columns import fit
from calimero_tui.tui.model.snapshot import Part
from calimero_tui.tui.model.text import short
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.note import Note


class CallScreen(Page):
    NAME = "call"
    ABOUT = (
        "Runs a method on the selected node. The method is completed from the ABI of the application (→ accepts), its "
        "arguments are a JSON object, checked as you type. Ctrl+R or F5 runs it. Escape leaves a field; then the "
        "keys of the other screens work again."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "run", "Run", key_display="^r", priority=True),
        Binding("n", "app.next_node", "Node"),
        Binding("m", "enter('method')", "Method"),
        Binding("a", "enter('args')", "Arguments"),
        Binding("escape", "leave", "Leave the field", key_display="esc"),
    ]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._contexts: list[str] = []
        self._owned: tuple[str, ...] = ()
        self._methods: list[str] = []

    def body(self) -> Iterator[Widget]:
        yield Note(id="about")
        with Horizontal(classes="field"):
            yield Label("context ")
            yield Select[str]([], id="context", compact=True, prompt="no context")
        with Horizontal(classes="field"):
            yield Label("executor")
            yield Select[str]([], id="executor", compact=True, prompt="no identity of this node")
        with Horizontal(classes="field"):
            yield Label("method  ")
            yield Input(id="method", compact=True, placeholder="name of a method")
        yield Note(id="hint")
        yield TextArea("{}", id="args", compact=True)
        with Horizontal(classes="field", id="send"):
            yield Button("Run", id="run", compact=True, variant="primary")
            yield Note(id="problem")
        yield Note(id="headline")
        yield Facts(id="answer")

    def paint(self) -> None:
        details, form, node = self.network.current_details(), self.network.form, self.network.node
        told = f"{node.name} · {node.address} · {node.last.state}"
        gap = details.gaps.get(Part.METHODS)
        self.query_one("#about", Note).tell(told + (f"\n{gap}: type the method's name" if gap else ""))
        self._offer_contexts()
        self._offer_executors(details.owned)
        self._offer_methods([str(row.get("name")) for row in details.methods])
        self._take_wanted()
        self.query_one("#hint", Note).tell(fit(form.hint(details.methods), max(10, self.size.width - 11)))
        problem = f"running {form.running.method} …" if form.running else form.problem()
        self.query_one("#problem", Note).tell(problem)
        self.query_one("#run", Button).disabled = bool(form.running or form.problem())
        self._answer()

    def _offer_contexts(self) -> None:
        contexts = [context.id for context in self.network.node.last.contexts]
        if contexts != self._contexts:
            self._contexts = contexts
            self._offer("context", contexts, self.network.context_id)
        elif self.network.context_id in contexts and self._chosen("context") != self.network.context_id:
            self.query_one("#context", Select).value = self.network.context_id

    def _offer_executors(self, owned: tuple[str, ...]) -> None:
        form = self.network.form
        if owned != self._owned:
            self._owned = owned
            form.executor = form.executor if form.executor in owned else (owned[0] if owned else "")
            self._offer("executor", owned, form.executor)

    def _offer_methods(self, names: list[str]) -> None:
        if names != self._methods:
            self._methods = names
            self.query_one("#method", Input).suggester = SuggestFromList(names, case_sensitive=False)

    def _offer(self, name: str, values: Sequence[str], chosen: str | None) -> None:
        box: Select[str] = self.query_one(f"#{name}", Select)
        with self.prevent(Select.Changed):
            box.set_options([(value, value) for value in values])
            if chosen in values and chosen:
                box.value = chosen

    def _chosen(self, name: str) -> str:
        value = self.query_one(f"#{name}", Select).value
        return value if isinstance(value, str) else ""

    def _take_wanted(self) -> None:
        """A method was chosen on another screen."""
        wanted, self.network.wanted_method = self.network.wanted_method, None
        if wanted:
            self.query_one("#method", Input).value = wanted
            self.query_one("#args", TextArea).focus()

    def _answer(self) -> None:
        answer = self.network.form.answer
        if answer is None:
            return
        headline = self.query_one("#headline", Note)
        headline.tell(f"{answer.headline}   ({short(answer.call.context_id, 12)})")
        headline.set_class(bool(answer.error), "bad")
        tone = "bad" if answer.error else ""
        self.query_one("#answer", Facts).show([(line, tone) for line in answer.text.splitlines()])

    def on_select_changed(self, event: Select.Changed) -> None:
        value = event.value if isinstance(event.value, str) else ""
        if event.select.id == "context" and value and value != self.network.context_id:
            self.network.context_id = value
            self.post_message(DetailsWanted())
        elif event.select.id == "executor":
            self.network.form.executor = value
        self.refresh_state()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._choose(event.value)
        self.refresh_state()

    def _choose(self, method: str) -> None:
        form = self.network.form
        if form.choose(method, self.network.current_details().methods):
            with self.prevent(TextArea.Changed):
                self.query_one("#args", TextArea).text = form.args

    def on_input_submitted(self) -> None:
        self.query_one("#args", TextArea).focus()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self.network.form.args = event.text_area.text
        self.refresh_state()

    def on_button_pressed(self) -> None:
        self.action_run()

    def action_run(self) -> None:
        form = self.network.form
        self._read_fields()
        call = form.request(self.network.selected, self._chosen("context"))
        if call is not None:
            self.post_message(CallWanted(call))
        elif not form.running:
            self.notify(form.problem(), title="not sent", severity="warning", markup=False, timeout=4)
        self.refresh_state()

    def _read_fields(self) -> None:
        """The key may come before the messages of what was typed."""
        method = self.query_one("#method", Input).value
        if method != self.network.form.method:
            self._choose(method)
        self.network.form.args = self.query_one("#args", TextArea).text

    def action_enter(self, field: str) -> None:
        self.query_one(f"#{field}").focus()

    def action_leave(self) -> None:
        self.query_one("#context").focus()

    def copied(self) -> str:
        answer = self.network.form.answer
        return self.network.context_id or "" if answer is None else answer.text
