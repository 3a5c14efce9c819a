"""Through the shell: one process on a terminal of its own, and a person's keys."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.life.apps import CALLS, COSTLY, LIMIT, application, words

pytestmark = pytest.mark.timeout(LIMIT)

COMMAND: Final = [
    sys.executable, "-c", "import sys; from calimero_tui.cli import main; sys.exit(main(sys.argv[1:]))",
    "shell", "--json",
]  # fmt: skip
ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")
WIDTH: Final = 1000
"""Columns, so that no line of JSON is folded."""

POSITION: Final = b"\x1b[6n"
"""The shell asks where the cursor is."""

PATIENCE: Final = 20
"""Seconds without a sign of life after which the test gives up."""


class Shell:
    """The master's end of the terminal."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._seen = b""

    def line(self, text: str) -> Any:
        """Type a line; the JSON that the shell answers, once it is ready for the next line."""
        self._seen = b""
        os.write(self._master, text.encode() + b"\r")
        while True:
            answer, _, rest = self._shown().rpartition(b"\n")
            if b">" in rest and (found := _values(answer)):
                return json.loads(found[-1])
            self._read()

    def prompt(self) -> None:
        while b">" not in self._shown():
            self._read()

    def _shown(self) -> bytes:
        return ESCAPES.sub(b"", self._seen).replace(b"\r", b"\n")

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], PATIENCE)
        assert ready, f"nothing more came after {self._seen!r}"
        part = os.read(self._master, 65536)
        if POSITION in part:
            os.write(self._master, b"\x1b[1;1R")
        self._seen += part


def _values(shown: bytes) -> list[bytes]:
    """Lines of JSON; an echo of what was typed stands behind the prompt."""
    return [line for line in shown.split(b"\n") if line.startswith((b"{", b"[", b'"', b"null", b"true"))]


@contextmanager
def shell(url: str, home: Path) -> Iterator[Shell]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": str(home)}
    with subprocess.Popen(
        [*COMMAND, "--node", url], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    ) as process:
        os.close(slave)
        found = Shell(master)
        try:
            found.prompt()
            yield found
            os.write(master, b"\x04")
            while True:
                try:
                    if not os.read(master, 65536):
                        break
                except OSError:  # the other end is closed
                    break
            assert process.wait() == 0
        finally:
            process.kill()
            os.close(master)


@pytest.mark.parametrize("name", COSTLY)
def test_a_context_lives_in_the_shell(urls: list[str], name: str, tmp_path: Path) -> None:
    one, two = urls
    wanted = CALLS[name]
    with shell(one, tmp_path) as typed:
        app = typed.line(f"app install {application(name, tmp_path)}")["application"]
        context = typed.line(f"context create {app}")["context"]
        typed.line(f"connect {two}")
        invitee = typed.line("identity new")["public_key"]
        typed.line(f"connect {one}")
        invitation = typed.line(f"context invite {invitee} {context}")["invitation"]
        typed.line(f"connect {two}")
        assert typed.line(f"context join {invitation}") == {"context": context, "member": invitee}
        while typed.line(f"context inspect {context}")["state"] != "ready":
            pass
        typed.line(f"use {context}")
        typed.line(f"call {wanted.method} {words(wanted.args)}")
        typed.line(f"connect {one}")
        typed.line(f"use {context}")
        while not wanted.is_seen(typed.line(f"call {wanted.view} {words(wanted.view_args)}")):
            pass
        for url in (two, one):
            typed.line(f"connect {url}")
            assert typed.line(f"context leave {context} --yes")["deleted"] is True
            assert "error" in typed.line(f"context inspect {context}")
            assert typed.line(f"app uninstall {app} --yes")["removed"] is True
