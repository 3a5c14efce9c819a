"""``calimero node init | start | status | stop | config | import | export``: the life of a node on this machine.

With merod's options where merod has the word. Here is what they are called and print; what they do is in
``calimero_tui.launch``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from calimero_tui.commands.surface import Surface
from calimero_tui.output import show
from node.errors import CalimeroError, ConfigError

COLUMNS: Final = (("WORKER", "name"), ("PID", "pid"), ("STATE", "state"))
NOT_RUNNING: Final = 3
"""Exit code of ``status`` for a stopped node, as in LSB init scripts."""

Command = argparse.ArgumentParser


def options(command: Command) -> None:
    words = command.add_subparsers(metavar="COMMAND", required=True)
    for word, help_text, declare, run in WORDS:
        inner = words.add_parser(word, help=help_text, description=help_text, epilog=f"example: {EXAMPLES[word]}")
        _where(inner)
        declare(inner)
        inner.add_argument("--json", action="store_true", help="one JSON value on stdout")
        inner.set_defaults(node_run=run)


def run(options: argparse.Namespace) -> int:
    return int(options.node_run(options))


def _where(command: Command) -> None:
    command.add_argument("--home", type=Path, help="folder of all nodes (default: $CALIMERO_HOME or ~/.calimero)")
    command.add_argument(
        "-n", "--node", "--node-name", dest="name", metavar="NAME", default=os.environ.get("CALIMERO_NODE_NAME"),
        help="which node in it (default: $CALIMERO_NODE_NAME or `default`)",
    )  # fmt: skip


def _path(options: argparse.Namespace) -> Path:
    from calimero_tui import launch

    return launch.node_directory(options.home or launch.default_home(), options.name or launch.DEFAULT_NAME)


# -- init


def _init_options(command: Command) -> None:
    add = command.add_argument
    add("--boot-nodes", action="append", default=[], metavar="ADDR", help="a multiaddr ending in /p2p/ID; repeatable")
    add("--boot-network", choices=["calimero-dev", "ipfs", "none"], default="calimero-dev", help="public boot nodes")
    add("--swarm-host", metavar="HOSTS", default="0.0.0.0,::", help="addresses for peers (0.0.0.0,::)")
    add("--swarm-port", type=_port, default=2428, metavar="PORT", help="port for peers (2428)")
    add("--server-host", metavar="HOSTS", default="127.0.0.1,::1", help="addresses of the API (127.0.0.1,::1)")
    add("--server-port", type=_port, default=2528, metavar="PORT", help="port of the API (2528)")
    add("--relayer-url", metavar="URL", help="registry of memberships (default: with --registry this node's own)")
    add("--registry", nargs="?", const="/ip4/127.0.0.1/tcp/2628", metavar="ADDR", help="serve a registry to peers")
    add("--protocol", choices=["near"], default="near", help="protocol of the registry")
    add("--mode", choices=["standard", "read-only", "readonly"], default="standard", help="what the node may do")
    add("--auth-mode", choices=["proxy", "embedded"], default="proxy", help="who checks tokens")
    add("--auth-storage", choices=["persistent", "memory"], default="persistent", help="where keys are kept")
    add("--auth-storage-path", metavar="PATH", default="auth", help="folder of keys below the node's")
    add("--mdns", action=argparse.BooleanOptionalAction, default=True, help="find peers on the local network")
    add("--advertise-address", action="store_true", help="tell peers our addresses")
    add("--rendezvous-registrations-limit", type=int, default=3, metavar="N")
    add("--relay-registrations-limit", type=int, default=3, metavar="N")
    add("--autonat-probe-interval", type=int, default=10, metavar="SECONDS")
    add("--autonat-max-candidates", type=int, default=5, metavar="N")
    add("--force", action="store_true", help="delete the node that is there, keys and data")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number from 0 to 65535")
    return int(text)


_PASSED: Final = (
    "swarm_port", "server_port", "boot_network", "mdns", "advertise_address", "auth_mode", "auth_storage",
    "auth_storage_path", "rendezvous_registrations_limit", "relay_registrations_limit", "autonat_probe_interval",
    "autonat_max_candidates",
)  # fmt: skip


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    choices = {name: getattr(options, name) for name in _PASSED}
    choices["swarm_hosts"] = tuple(options.swarm_host.split(","))
    choices["server_hosts"] = tuple(options.server_host.split(","))
    choices["boot_nodes"] = tuple(options.boot_nodes)
    choices["mode"] = options.mode.replace("-", "")
    choices["registry_listen"] = options.registry
    if (relayer := options.relayer_url or _own_registry(options.registry)) is not None:
        choices["relayer_url"] = relayer
    return choices


def _own_registry(listen: str | None) -> str | None:
    """The URL of a registry that listens at a multiaddr."""
    if listen is None:
        return None
    _, family, host, _, port, *_ = [*listen.split("/"), "", "", "", ""]
    if port == "0":
        raise ConfigError("--registry with port 0 has no address that peers could be told; choose a port")
    return f"http://[{host}]:{port}" if family == "ip6" else f"http://{host}:{port}"


def _init(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    made = launch.init_node(_path(options), _choices(options), force=options.force)
    if not made["created"]:
        show.note(f"warning: Node is already initialized in {made['path']}")
    show.result(made, as_json=options.json)
    return 0


# -- start


def _start_options(command: Command) -> None:
    command.add_argument("--detach", action="store_true", help="return when it is ready; it runs on in the background")
    command.add_argument("--auth-mode", choices=["proxy", "embedded"], help="over the file's setting")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting over the file's")


def _flags(options: argparse.Namespace) -> dict[str, str]:
    flags = {"server.auth_mode": options.auth_mode} if options.auth_mode else {}
    for item in options.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r} has no value; write KEY=VALUE")
        flags[key] = value
    return flags


def _start(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    path = _path(options)
    flags = _flags(options)
    if not options.detach:
        launch.exec_node(path, flags)
    launch.start_detached(path, flags)
    return _print_status(path, as_json=options.json)


# -- status, stop, config


def _no_options(_: Command) -> None:
    pass


def _status(options: argparse.Namespace) -> int:
    return _print_status(_path(options), as_json=options.json)


def _print_status(path: Path, *, as_json: bool) -> int:
    from calimero_tui import launch

    status = launch.node_status(path)
    if status["running"]:
        status["health"] = _health(status["api"])
    if as_json:
        show.data(status)
    else:
        workers = status.pop("workers", [])
        show.result(status)
        if workers:
            show.line("")
            show.table(workers, COLUMNS)
    return 0 if status["running"] else NOT_RUNNING


def _health(urls: list[str]) -> str:
    """What the API itself says; a node whose processes live may still not answer."""
    import asyncio

    if not urls:
        return "no API"
    try:
        return asyncio.run(_ask_health(urls[0]))
    except CalimeroError as error:
        return f"no answer: {error}"


async def _ask_health(url: str) -> str:
    from calimero_tui.client.http import Http
    from calimero_tui.client.node import Node

    async with Http(url) as http:
        return await Node(http).health()


def _stop(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    path = _path(options)
    stopped = launch.stop_node(path, report=show.note)
    if not stopped:
        show.note(f"the node in {path} is not running")
    show.result({"path": str(path), "stopped": stopped}, as_json=options.json)
    return 0


def _config_options(command: Command) -> None:
    command.add_argument("assignments", nargs="*", metavar="KEY=VALUE", help="settings to change; none shows them all")


def _config(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    path = _path(options)
    if options.assignments:
        launch.change_config(path, options.assignments)
        show.note(f"changed {path / 'config.toml'}; a running node uses it from its next start")
        return 0
    values, warnings = launch.settings(path)
    for warning in warnings:
        show.note(f"warning: {warning}")
    show.result(values if options.json else dict(_flat(values)), as_json=options.json)
    return 0


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


# -- import, export


def _import_options(command: Command) -> None:
    command.add_argument(
        "source", type=Path, metavar="MEROD", help="folder of a stopped merod node, with its config.toml"
    )
    command.add_argument(
        "--storage-key-file",
        type=Path,
        metavar="FILE",
        help="hexadecimal key of a home that is encrypted at rest (merod had it from its key provider)",
    )


def _import(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    show.result(launch.import_merod(_path(options), options.source, options.storage_key_file), as_json=options.json)
    return 0


def _export_options(command: Command) -> None:
    command.add_argument(
        "target", type=Path, metavar="FOLDER", help="where `data` and `blobs` are made, as merod has them"
    )


def _export(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    show.result(launch.export_merod(_path(options), options.target), as_json=options.json)
    return 0


Word = tuple[str, str, Callable[[Command], None], Callable[[argparse.Namespace], int]]
WORDS: Final[tuple[Word, ...]] = (
    ("init", "Make a node with a new key", _init_options, _init),
    ("start", "Run a node until Ctrl-C, or in the background", _start_options, _start),
    ("status", "Say whether a node runs, and where", _no_options, _status),
    ("stop", "Stop a node in order and wait for it", _no_options, _stop),
    ("config", "Show or change settings", _config_options, _config),
    ("import", "Take over the contexts of a stopped merod 0.10.0", _import_options, _import),
    ("export", "Write the data of a stopped node as merod 0.10.0 has it", _export_options, _export),
)
EXAMPLES: Final = {
    "init": "calimero node init --node alice --server-port 2600 --swarm-port 2500",
    "start": "calimero node start --node alice --detach",
    "status": "calimero node status --node alice --json",
    "stop": "calimero node stop --node alice",
    "config": "calimero node config --node alice sync.interval_ms=2000",
    "import": "calimero node import --node alice ~/.calimero/node1",
    "export": "calimero node export --node alice ./for-merod",
}

SURFACE = Surface("node", "Make, run and stop a node on this machine", "calimero node init", options, run)
