"""Reads a recipe: from YAML values to the model. Pure; finds all that is written wrong, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from calimero_tui.recipe import path, source
from calimero_tui.recipe.checks import OPERATORS
from calimero_tui.recipe.flow import single
from calimero_tui.recipe.hints import near
from calimero_tui.recipe.model import ALL, BUILT_IN, LOCAL, Capture, Check, Group, Patience, Recipe, Step
from calimero_tui.recipe.source import Entry, Items, Scalar, Table, Value
from calimero_tui.recipe.steps import STEPS, Inside, StepType
from node.errors import LintError, ParseError, Span

VERSION: Final = 1
MAX_NODES: Final = 9
"""Nodes that a recipe may start; each is several processes."""

TOP: Final = ("recipe", "name", "description", "vars", "nodes", "steps")
AROUND: Final = ("name", "node", "capture", "expect", "expected_failure", "retry", "wait_until")
"""Keys of a step beside its type."""

DEFAULT_EVERY: Final = 0.1
DEFAULT_TIMEOUT: Final = 30.0


def read(text: str, file: str) -> tuple[Recipe, list[LintError]]:
    """The recipe and what is wrong in it. Raises :class:`ParseError` for what is no recipe at all."""
    root = source.read(text, file)
    if not isinstance(root, Table):
        raise ParseError("a recipe is a mapping with recipe, name, nodes and steps", span=root.span)
    if root.get("recipe") is None:
        raise ParseError(f"this is no recipe of calimero; one begins with `recipe: {VERSION}`", span=root.span)
    reader = _Reader()
    return reader.recipe(root, file), reader.problems


class _Reader:
    """Collects problems, so that one run names them all."""

    def __init__(self) -> None:
        self.problems: list[LintError] = []

    def wrong(self, message: str, span: Span) -> None:
        self.problems.append(LintError(message, span=span))

    # -- the file

    def recipe(self, root: Table, file: str) -> Recipe:
        self._known(root, TOP, "a recipe")
        version = root.get("recipe")
        if version is not None and source.plain(version) != VERSION:
            self.wrong(
                f"recipe: {source.plain(version)!r} is not known here; this program reads {VERSION}", version.span
            )
        urls, count = self._nodes(root.get("nodes"))
        return Recipe(
            self._text(root, "name") or file, self._text(root, "description"), file,
            self._variables(root.get("vars")), urls, count, self._steps(root, ""),
        )  # fmt: skip

    def _variables(self, value: Value | None) -> dict[str, Value]:
        found = {}
        for entry in self._table(value, "vars").entries if value is not None else ():
            if self._variable(entry.key, entry.span):
                found[entry.key] = entry.value
        return found

    def _nodes(self, value: Value | None) -> tuple[dict[str, str], int]:
        if value is None:
            return {}, 1
        table = self._table(value, "nodes")
        network = table.entry("network")
        if network is not None and isinstance(network.value, Table):
            self._known(table, ("network",), "nodes")
            return {}, self._count(network.value, "count", MAX_NODES)
        urls = {entry.key: self._url(entry) for entry in table.entries if self._name(entry)}
        if not urls:
            self.wrong("nodes is `network: {count: 3}`, or a name and an address for each node", value.span)
        return urls, len(urls) or 1

    def _name(self, entry: Entry) -> bool:
        if path.NAME.fullmatch(entry.key) and entry.key != ALL:
            return True
        self.wrong(f"{entry.key!r} cannot be the name of a node; use letters, digits, - and _", entry.span)
        return False

    def _url(self, entry: Entry) -> str:
        url = source.plain(entry.value)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            self.wrong(f"{entry.key} needs an address like http://127.0.0.1:2528", entry.value.span)
        return str(url)

    # -- steps

    def _steps(self, table: Table, before: str) -> tuple[Step, ...]:
        value = table.get("steps")
        if not isinstance(value, Items) or not value.values:
            self.wrong("steps must be a list with at least one step", value.span if value else table.span)
            return ()
        numbered = enumerate(value.values, start=1)
        return tuple(step for n, item in numbered if (step := self._step(item, f"{before}{n}")) is not None)

    def _step(self, value: Value, number: str) -> Step | None:
        if isinstance(value, Scalar) and isinstance(value.value, str):
            value = Table((Entry(value.value, value.span, Scalar(None, value.span)),), value.span)
        if not isinstance(value, Table):
            self.wrong("a step is a mapping like `call: {method: get}`", value.span)
            return None
        entry = self._type(value)
        if entry is None:
            return None
        kind = STEPS[entry.key]
        return Step(
            type=kind.name, name=self._text(value, "name"), number=number, span=entry.span,
            arguments=self._arguments(kind, entry), node=self._node(kind, value),
            capture=self._captures(value.get("capture")), expect=self._expectations(kind, entry, value),
            expected_failure=self._flag(value, "expected_failure"), patience=self._patience(kind, value),
            groups=self._groups(kind, entry.value, number),
        )  # fmt: skip

    def _type(self, step: Table) -> Entry | None:
        """The one key of a step that is no word around it."""
        types = [entry for entry in step.entries if entry.key not in AROUND]
        known = [entry for entry in types if entry.key in STEPS]
        if len(known) == 1:
            for entry in types:
                if entry is not known[0]:
                    self.wrong(f"a step has no {entry.key!r}; {near(entry.key, AROUND)}", entry.span)
            return known[0]
        if len(known) > 1:
            self.wrong(f"{known[0].key!r} and {known[1].key!r} are two steps; begin the second with -", known[1].span)
        elif types:
            self.wrong(f"there is no step {types[0].key!r}; {near(types[0].key, STEPS)}", types[0].span)
        else:
            self.wrong(f"the step does not say what to do; {near('', STEPS)}", step.span)
        return None

    def _arguments(self, kind: StepType, entry: Entry) -> dict[str, Value]:
        if kind.inside is Inside.CHECKS:
            return {}
        value = entry.value
        if isinstance(value, Scalar) and value.value is None:
            return {}
        if kind.inside is Inside.VARIABLES:
            return self._variables(value)
        if isinstance(value, Scalar) and kind.parameters and not kind.flow:
            return {kind.parameters[0].name: value}
        table = self._table(value, kind.name)
        inside = {Inside.STEPS: ("steps",), Inside.GROUPS: ("steps", "groups")}.get(kind.inside, ())
        names = [parameter.name for parameter in kind.parameters]
        self._known(table, [*names, *inside], kind.name)
        return {entry.key: entry.value for entry in table.entries if entry.key in names}

    def _node(self, kind: StepType, step: Table) -> Value | None:
        entry = step.entry("node")
        if entry is None:
            return None
        if kind.action is None:
            self.wrong(f"{kind.name} does not run on one node; remove node", entry.span)
        return entry.value

    def _groups(self, kind: StepType, value: Value, number: str) -> tuple[Group, ...]:
        if not kind.flow or not isinstance(value, Table):
            return ()
        if kind.inside is Inside.STEPS:
            return (Group(self._steps(value, f"{number}.")),)
        groups = value.get("groups")
        if groups is None:
            return single(self._steps(value, f"{number}."))
        if value.get("steps") is not None or not isinstance(groups, Items):
            self.wrong("parallel has either steps or a list of groups", groups.span)
            return ()
        return tuple(self._group(item, f"{number}.{n}") for n, item in enumerate(groups.values, start=1))

    def _group(self, value: Value, number: str) -> Group:
        table = self._table(value, "a group")
        self._known(table, ("name", "count", "steps"), "a group")
        count = self._count(table, "count") if table.get("count") is not None else 1
        return Group(self._steps(table, f"{number}."), self._text(table, "name"), count)

    # -- around a step

    def _captures(self, value: Value | None) -> tuple[Capture, ...]:
        found = []
        for entry in self._table(value, "capture").entries if value is not None else ():
            segments = self._path(entry.value)
            if self._variable(entry.key, entry.span) and segments is not None:
                found.append(Capture(entry.key, segments, entry.span))
        return tuple(found)

    def _expectations(self, kind: StepType, entry: Entry, step: Table) -> tuple[Check, ...]:
        if kind.inside is not Inside.CHECKS:
            return self._checks(step.get("expect"), ("path", "message"))
        if (extra := step.entry("expect")) is not None:
            self.wrong("assert holds its checks itself; use `that`", extra.span)
        checks = self._checks(entry.value, ("that", "path", "message"))
        for check in checks:
            if check.that is None:
                self.wrong("an assert needs `that`, the value that is checked", check.span)
        return checks

    def _checks(self, value: Value | None, words: tuple[str, ...]) -> tuple[Check, ...]:
        if value is None:
            return ()
        items = value.values if isinstance(value, Items) else (value,)
        return tuple(self._check(self._table(item, "a check"), words) for item in items)

    def _check(self, table: Table, words: tuple[str, ...]) -> Check:
        self._known(table, (*words, *OPERATORS), "a check")
        operators = tuple((entry.key, entry.value) for entry in table.entries if entry.key in OPERATORS)
        if not operators:
            self.wrong(f"the check says nothing; use one of {', '.join(OPERATORS)}", table.span)
        for name, wanted in operators:
            self._operand(name, wanted)
        place = table.get("path")
        segments = self._path(place) if place is not None else ()
        return Check(operators, table.span, segments or (), table.get("that"), self._text(table, "message"))

    def _operand(self, name: str, wanted: Value) -> None:
        operator, value = OPERATORS[name], source.plain(wanted)
        if not (isinstance(value, str) and "{{" in value) and not operator.fits(value):
            self.wrong(f"{name} needs {operator.wants}, not {value!r}", wanted.span)

    def _patience(self, kind: StepType, step: Table) -> Patience | None:
        retry, until = step.entry("retry"), step.entry("wait_until")
        entry = retry or until
        if entry is None:
            return None
        if retry and until:
            self.wrong("retry and wait_until are two ways of the same; keep one", until.span)
        if kind.flow:
            self.wrong(f"{kind.name} cannot be tried again as a whole; put {entry.key} on a step inside", entry.span)
        table = self._table(entry.value, entry.key)
        self._known(table, ("times", "every") if retry else ("timeout", "every"), entry.key)
        every = self._seconds(table, "every", DEFAULT_EVERY)
        if retry:
            return Patience(every, times=self._count(table, "times"))
        return Patience(every, timeout=self._seconds(table, "timeout", DEFAULT_TIMEOUT))

    # -- values

    def _table(self, value: Value | None, what: str) -> Table:
        if isinstance(value, Table):
            return value
        span = value.span if value is not None else Span("", 1, 1)
        self.wrong(f"{what} must be a mapping, with `name: value` in each line", span)
        return Table((), span)

    def _known(self, table: Table, names: Iterable[str], what: str) -> None:
        offered = tuple(names)
        for entry in table.entries:
            if entry.key not in offered:
                self.wrong(f"{what} has no {entry.key!r}; {near(entry.key, offered)}", entry.span)

    def _text(self, table: Table, key: str) -> str:
        return str(self._typed(table, key, "", lambda value: isinstance(value, str), "a text"))

    def _flag(self, table: Table, key: str) -> bool:
        return self._typed(table, key, None, lambda value: isinstance(value, bool), "true or false") is True

    def _seconds(self, table: Table, key: str, default: float) -> float:
        return float(self._typed(table, key, default, _is_seconds, "a number of seconds"))

    def _count(self, table: Table, key: str, most: int = 1_000_000) -> int:
        if table.get(key) is None:
            self.wrong(f"{key} is missing", table.span)
            return 1
        return int(
            self._typed(table, key, 1, lambda v: type(v) is int and 1 <= v <= most, f"a number from 1 to {most}")
        )

    def _typed(self, table: Table, key: str, default: Any, fits: Any, what: str) -> Any:
        value = table.get(key)
        if value is None:
            return default
        if isinstance(value, Scalar) and fits(value.value):
            return value.value
        self.wrong(f"{key} must be {what}, not {source.plain(value)!r}", value.span)
        return default

    def _path(self, value: Value) -> tuple[path.Segment, ...] | None:
        """A path without variables; null is the whole result."""
        text = source.plain(value)
        try:
            segments = path.parse("" if text is None else str(text))
        except ValueError as error:
            self.wrong(str(error), value.span)
            return None
        for segment in segments:
            if isinstance(segment, path.Variable):
                self.wrong(f"[{segment.name}] is no index; variables have no place in this path", value.span)
        return segments

    def _variable(self, name: str, span: Span) -> bool:
        if name in BUILT_IN or name in LOCAL:
            self.wrong(f"{name} is set by the runner; choose another name", span)
        elif path.NAME.fullmatch(name) is None:
            self.wrong(f"{name!r} cannot be a variable; use letters, digits, - and _", span)
        else:
            return True
        return False


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6


def to_values(given: Mapping[str, object], file: str) -> dict[str, Value]:
    """Variables that were given on the command line, as if the file said so."""
    span = Span(file, 1, 1)
    return {name: _value(value, span) for name, value in given.items()}


def _value(value: Any, span: Span) -> Value:
    if isinstance(value, dict):
        return Table(tuple(Entry(str(key), span, _value(item, span)) for key, item in value.items()), span)
    if isinstance(value, list):
        return Items(tuple(_value(item, span) for item in value), span)
    return Scalar(value, span)
