"""From a node directory to a running supervisor, and from every way to end to an exit code and one clear message."""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from node.config.address import Listen
from node.config.identity import new_identity
from node.config.model import NodeConfig
from node.config.validate import listeners, validate
from node.errors import CalimeroError, ConfigError, StoreUnusable
from node.store.places import check_data
from workers.home import read_config
from workers.logs import LogFilter
from workers.roles import ROLES, Role
from workers.supervisor.lock import Holder, NodeLock
from workers.supervisor.output import LogOutput, SupervisorHandler
from workers.supervisor.supervisor import Supervisor

__all__ = ["EXIT_CONFIG", "EXIT_FAILED", "EXIT_RUNNING", "Options", "main_process"]

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 78
"""As in sysexits.h: the configuration, or a port that is taken."""
EXIT_RUNNING: Final = 75
"""As in sysexits.h: try again later; another process has the directory open, or what lies in it cannot be used."""

_log: Final = logging.getLogger("workers.supervisor")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line: node directory, settings over the file's, descriptor for the state, whether it is a tether."""

    home: Path
    flags: Mapping[str, str]
    status_fd: int | None = None
    tethered: bool = False


class Status:
    """Tells the state of the node to the lock file and to the program that started it; either may be gone."""

    def __init__(self, descriptor: int | None) -> None:
        self.lock: NodeLock | None = None
        self._started = time.time()
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def report(self, state: str, details: Mapping[str, Any]) -> None:
        if self.lock is not None:
            self.lock.write(Holder(os.getpid(), self._started, state, details))
        self.tell({"state": state, "pid": os.getpid(), "details": dict(details)})

    def tell(self, row: Mapping[str, object]) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, json.dumps(row).encode() + b"\n")
        except OSError:  # closed, or a reader that stopped reading: the node does not wait for it
            self._descriptor = None


def main_process(options: Options, *, roles: Mapping[str, Role] = ROLES) -> int:
    """Run the node; the exit code of the process. ``roles``: another table of workers, for tests."""
    status = Status(options.status_fd)
    code, error = EXIT_FAILED, ""
    try:
        _run(options, status, roles)
        code = 0
    except ConfigError as fault:
        code, error = EXIT_CONFIG, str(fault)
    except StoreUnusable as fault:
        code, error = EXIT_RUNNING, str(fault)
    except CalimeroError as fault:
        error = str(fault)
    except OSError as fault:
        error = f"{options.home}: {fault}"
    except KeyboardInterrupt:
        code = 130
    if error:
        sys.stderr.write(f"error: {error}\n")
    status.tell({"state": "ended", "code": code, "error": error})
    return code


def _run(options: Options, status: Status, roles: Mapping[str, Role]) -> None:
    home = options.home.resolve()
    loaded = read_config(home, options.flags, os.environ)
    config = loaded.config
    output = LogOutput(form=config.log.format)
    _log_to(output, config)
    for warning in loaded.warnings:
        _log.warning("%s", warning)
    validate(config)
    lock = NodeLock(home).acquire()
    try:
        check_data(home / config.datastore.path)
        check_ports(config)
        status.lock = lock
        supervisor = Supervisor(home, _with_identity(config), output, report=status.report, roles=roles)
        if options.tethered and options.status_fd is not None:
            supervisor.watch_tether(options.status_fd)
        supervisor.run()
    finally:
        lock.release()


def _with_identity(config: NodeConfig) -> NodeConfig:
    """Without a key in the file, the node has a new one at each start, as the reference does."""
    if config.identity is not None:
        return config
    _log.warning("config.toml has no table identity: this node gets a new peer id at every start")
    return msgspec.structs.replace(config, identity=new_identity(secrets.token_bytes))


def check_ports(config: NodeConfig) -> None:
    """Raises :class:`ConfigError` naming the first address that is taken, before anything is started."""
    for listen in listeners(config):
        if listen.transport != "tcp":
            continue  # addresses over QUIC stay in the file for merod's sake; only TCP is served
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        try:
            _bind_once(family, listen)
        except OSError as error:
            if not _is_absent(error, family):
                raise ConfigError(
                    f"{listen.source}: {listen} cannot be used: {error.strerror}; "
                    f"stop what uses it, or choose another port"
                ) from error


def _bind_once(family: socket.AddressFamily, listen: Listen) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((listen.host, listen.port))


def _is_absent(error: OSError, family: int) -> bool:
    """A machine without IPv6 still runs the default configuration, which names ``::1``."""
    return family == socket.AF_INET6 and error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def _log_to(output: LogOutput, config: NodeConfig) -> None:
    chosen = LogFilter.parse(config.log.filter)
    root = logging.getLogger()
    root.handlers[:] = [SupervisorHandler(output, chosen)]
    root.setLevel(chosen.lowest)
