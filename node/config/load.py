"""From text to settings: defaults < file < ``CALIMERO_*`` environment < flags.

A variable is the dotted path in capitals with ``__`` for each dot: ``CALIMERO_SYNC__INTERVAL_MS=5000``. Lists may be
written with commas. Unknown keys do not stop a node, since a newer file may hold more; each is named with the nearest
known one. Nothing here touches a file: the text and the environment come in as arguments.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

import msgspec

from node.config.model import NodeConfig, Section
from node.errors import ConfigError

__all__ = ["ENVIRONMENT_PREFIX", "Loaded", "load"]

ENVIRONMENT_PREFIX: Final = "CALIMERO_"
PROGRAM_VARIABLES: Final = frozenset({"CALIMERO_HOME", "CALIMERO_NODE", "CALIMERO_NODE_NAME", "CALIMERO_PYTHON"})
"""Read by the programs themselves; no settings of a node."""

ALIASES: Final = {"CALIMERO_LOG": "log.filter"}

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and a warning for every key that was not used."""

    config: NodeConfig
    warnings: tuple[str, ...] = ()


def load(
    text: str,
    *,
    file: str,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Loaded:
    """Read a configuration; ``file`` is its name for messages. Raises :class:`ConfigError`."""
    tree = parse_toml(text, file)
    warnings = list(_unknown(tree, NodeConfig, "", file))
    for name, value in sorted((environment or {}).items()):
        if (path := _variable_path(name)) is not None:
            warnings += _override(tree, path, value, f"environment variable {name}")
    for path, value in (flags or {}).items():
        warnings += _override(tree, path, value, f"setting {path}")
    return Loaded(_convert(tree, file), tuple(warnings))


def parse_toml(text: str, file: str) -> Tree:
    """Raises :class:`ConfigError` with the line and column of the mistake."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error


def _convert(tree: Tree, file: str) -> NodeConfig:
    try:
        return msgspec.convert(tree, NodeConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_readable(str(error))}") from error


def _readable(text: str) -> str:
    """msgspec says ``Expected `int`, got `str` - at `$.sync.timeout_ms```; a person reads the path first."""
    reason, _, path = text.partition(" - at `$.")
    return f"{path.rstrip('`')}: {reason}" if path else text


# -- overrides


def _variable_path(name: str) -> str | None:
    if name in ALIASES:
        return ALIASES[name]
    if not name.startswith(ENVIRONMENT_PREFIX) or name in PROGRAM_VARIABLES:
        return None
    return name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")


def _override(tree: Tree, path: str, value: str, source: str) -> list[str]:
    """Set one value; a list with the warning when no such setting exists."""
    kind = kind_at(path)
    if kind is None:
        return [f"{source} is not used: there is no setting {path}{suggestion(path, all_paths())}"]
    steps = path.split(".")
    for step in steps[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{source}: {path} lies below a value that is no table")
    tree[steps[-1]] = parse_value(value, kind, source)
    return []


def parse_value(text: str, kind: Any, source: str) -> object:
    """A value as TOML writes it; plain text where text is wanted, commas for a list. Raises :class:`ConfigError`."""
    if _is_text(kind):
        return _unquoted(text)
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if not _is_list(kind):
            raise ConfigError(f"{source}: {text!r} is no value of this setting: {error}") from error
        value = text
    if _is_list(kind) and not isinstance(value, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _is_text(kind: Any) -> bool:
    """Text, optional text, or one of several words."""
    return not _is_list(kind) and (kind is str or any(item is str or isinstance(item, str) for item in get_args(kind)))


def _is_list(kind: Any) -> bool:
    return bool(getattr(kind, "__origin__", None) is tuple)


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'":
        return text
    try:
        return cast(str, tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text


# -- the known keys


def _fields(kind: type[Section]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _section_of(kind: Any) -> type[Section] | None:
    """The table that a field's type stands for, or None for a value."""
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and issubclass(option, Section):
            return option
    return None


def _is_mapping(kind: Any) -> bool:
    return bool(getattr(kind, "__origin__", None) is dict)


def _unknown(tree: Tree, kind: type[Section], prefix: str, file: str) -> Iterator[str]:
    fields = _fields(kind)
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if key not in fields:
            yield f"{file}: unknown key {path}{suggestion(key, fields, prefix)}; it is not used"
        elif isinstance(value, dict):
            yield from _unknown_below(value, fields[key], f"{path}.", file)


def _unknown_below(value: Tree, kind: Any, prefix: str, file: str) -> Iterator[str]:
    if (section := _section_of(kind)) is None:
        return
    if _is_mapping(kind):
        for name, item in value.items():
            if isinstance(item, dict):
                yield from _unknown(item, section, f"{prefix}{name}.", file)
    else:
        yield from _unknown(value, section, prefix, file)


def kind_at(path: str) -> Any:
    """The type of the setting at a dotted path; None if there is none. Tables are settings too."""
    kind: Any = NodeConfig
    for step in path.split("."):
        if _is_mapping(kind):
            kind = get_args(kind)[1]
        elif (section := _section_of(kind)) is not None and step in (fields := _fields(section)):
            kind = fields[step]
        else:
            return None
    return kind


def all_paths(kind: type[Section] = NodeConfig, prefix: str = "") -> list[str]:
    """Every setting's dotted path, tables left out."""
    paths: list[str] = []
    for name, item in _fields(kind).items():
        section = None if _is_mapping(item) else _section_of(item)
        paths += all_paths(section, f"{prefix}{name}.") if section else [prefix + name]
    return paths


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The nearest of the known words as a question, with ``prefix`` before it; empty if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
