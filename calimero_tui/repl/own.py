"""The shell's own commands, one table. All others come from the registry of actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from calimero_tui.actions.base import Action, Kind, Parameter, Source
from calimero_tui.actions.parameters import context_of
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.output import show
from calimero_tui.repl import following
from calimero_tui.repl.parse import near, usage
from node.errors import Refused
from node.primitives import PublicKey

if TYPE_CHECKING:
    from calimero_tui.repl.shell import Shell

Given = Mapping[str, Any]
Handler = Callable[["Shell", Given], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Own:
    """A command that acts on the shell itself."""

    name: str
    help: str
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    example: str = ""


async def connect(shell: Shell, given: Given) -> None:
    await shell.connect(given["url"])
    shell.result({"node": shell.session.node.url})


async def ls(shell: Shell, given: Given) -> None:
    action = ACTIONS.actions.get(f"{given.get('what', 'context').rstrip('s')} ls")
    if action is None or not _stands_alone(action):
        raise Refused(f"ls cannot list {given['what']!r}; it lists: {', '.join(_listed())}", kind="argument")
    shell.result(await action.run(shell.session, {}), action.columns)


def _listed() -> list[str]:
    return [
        name.removesuffix(" ls") for name, action in ACTIONS.actions.items()
        if name.endswith(" ls") and _stands_alone(action)
    ]  # fmt: skip


def _stands_alone(action: Action) -> bool:
    return not any(parameter.required for parameter in action.parameters)


async def use(shell: Shell, given: Given) -> None:
    """Choose a context; the identity chosen for another one is forgotten."""
    context_id = None
    if "context" in given:
        found = await context_of(shell.session, given["context"])
        context_id = (await shell.session.node.context(found)).id
    shell.session.context_id, shell.session.executor, shell.stale = context_id, None, True
    shell.result({"context": context_id})


async def act_as(shell: Shell, given: Given) -> None:
    """Choose an identity of this node in the context; a beginning of at least 4 characters is enough."""
    if "identity" not in given:
        shell.session.executor = None
    else:
        context_id = await context_of(shell.session, None)
        owned = await shell.session.node.owned(context_id)
        shell.session.executor = _identity(given["identity"], owned, context_id)
    shell.result({"identity": shell.session.executor})


def _identity(text: str, owned: list[str], context_id: str) -> str:
    fitting = [key for key in owned if key == text or (len(text) >= 4 and key.startswith(text))]
    if len(fitting) == 1:
        return str(PublicKey.parse(fitting[0]))
    offered = ", ".join(owned) or "none; join the context first"
    raise Refused(f"{text!r} is no identity of this node in {context_id}; it has: {offered}", kind="argument")


async def watch(shell: Shell, given: Given) -> None:
    ids = await following.followed(shell.session, given.get("context"))
    await following.follow(
        shell.session.node.url, ids, following.shown(as_json=shell.as_json),
        count=given.get("count"), seconds=given.get("seconds"),
    )  # fmt: skip


async def show_help(shell: Shell, given: Given) -> None:
    commands: dict[str, Any] = {**OWN, **ACTIONS.actions}
    if "action" not in given:
        rows = [{"command": name, "help": command.help} for name, command in commands.items()]
        shell.result(rows, (("command", "command"), ("", "help")))
        return
    name = " ".join(filter(None, (given["action"], given.get("verb"))))
    if name not in commands and not any(known.startswith(f"{name} ") for known in commands):
        raise Refused(f"there is no command {name!r}; {near(name, commands)}", kind="argument")
    for known, command in commands.items():
        if known == name or known.startswith(f"{name} "):
            _explain(shell, command)


def _explain(shell: Shell, command: Any) -> None:
    example = command.example.removeprefix("calimero ")
    arguments = [{"name": p.name, "help": p.help} for p in command.parameters]
    if shell.as_json:
        shell.result({"command": command.name, "help": command.help, "usage": usage(command), "arguments": arguments})
        return
    show.line(f"{command.name}: {command.help}")
    show.line(f"  {usage(command)}")
    for argument in arguments:
        show.line(f"    {argument['name']:<12} {argument['help']}")
    if example:
        show.line(f"  example: {example}")


async def history(shell: Shell, _: Given) -> None:
    rows = [{"number": number, "line": line} for number, line in enumerate(shell.lines, start=1)]
    shell.result(rows, (("", "number"), ("line", "line")))


async def leave(shell: Shell, _: Given) -> None:
    shell.done = True


_COUNT: Final = Parameter("count", "stop after so many events", Kind.INTEGER, None, option=True)
_SECONDS: Final = Parameter("seconds", "stop after so many seconds", Kind.NUMBER, None, option=True)
_CONTEXT: Final = Parameter("context", "id, its beginning, or an alias", default=None, source=Source.CONTEXTS)
_IDENTITY: Final = Parameter("identity", "public key or its beginning", default=None, source=Source.OWNED)

OWN: Final[Mapping[str, Own]] = {
    own.name: own
    for own in (
        Own(
            "connect", "Turn to another node", connect, (Parameter("url", "address of the node"),),
            "connect http://127.0.0.1:2529",
        ),
        Own(
            "ls", "List contexts, or another kind of thing", ls,
            (Parameter("what", "context, identity, app, blob, proposal or peer", default="context"),), "ls app",
        ),
        Own("use", "Choose the context that later lines mean; alone: none", use, (_CONTEXT,), "use 4vJ9"),
        Own("as", "Choose the identity that acts; alone: the node's first", act_as, (_IDENTITY,), "as 8qbH"),
        Own(
            "watch", "Show events as they happen, until Ctrl-C", watch, (_CONTEXT, _COUNT, _SECONDS),
            "watch 4vJ9 --count 3",
        ),
        Own(
            "help", "List the commands, or explain one", show_help,
            (
                Parameter("action", "name of a command, or its first word", default=None, source=Source.ACTIONS),
                Parameter("verb", "second word of the name", default=None),
            ),
            "help context create",
        ),
        Own("history", "List the lines of this session", history),
        Own("exit", "Leave the shell", leave),
    )
}  # fmt: skip
