"""What is imported is declared, what is declared is locked with hashes, and the README says the same."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import sys
from functools import cache

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.source import PACKAGES, ROOT, imports, modules, requirements

LOCKED = re.compile(r"^([a-z0-9.-]+)==([^ ;\\]+) *;? *([^\\]*)")


@cache
def lock(name: str) -> dict[str, str]:
    """Locked versions by canonical name, of this system."""
    lines = (ROOT / "packaging" / "locks" / f"{name}.lock").read_text(encoding="utf-8").splitlines()
    found = (match for line in lines if (match := LOCKED.match(line)))
    return {match[1]: match[2] for match in found if not match[3] or Marker(match[3]).evaluate()}


@cache
def left_out() -> set[str]:
    return set(runpy.run_path(str(ROOT / "packaging" / "lock.py"))["LEFT_OUT"])


def declared(group: str) -> dict[str, Requirement]:
    """Requirements of every system; a version for one system alone is the lock's matter."""
    needed = (each for each in map(Requirement, requirements(group)) if each.marker is None)
    return {canonicalize_name(each.name): each for each in needed}


@pytest.mark.parametrize("group", ["build", "runtime", "dev"])
def test_the_lock_holds_what_is_declared(group: str) -> None:
    for name, requirement in declared(group).items():
        if name in left_out():
            continue
        assert name in lock(group), f"{name} is not in {group}.lock: run packaging/lock.py"
        assert requirement.specifier.contains(lock(group)[name]), f"{requirement} is locked at {lock(group)[name]}"


@pytest.mark.parametrize("group", ["build", "runtime", "dev"])
def test_every_locked_version_has_hashes_and_no_index(group: str) -> None:
    text = (ROOT / "packaging" / "locks" / f"{group}.lock").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z0-9])", text):
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]
    assert "://" not in text
    assert "--index" not in text


def test_the_developers_environment_extends_the_users() -> None:
    assert lock("runtime").items() <= lock("dev").items()
    assert lock("build").items() <= lock("dev").items()


def test_what_is_left_out_is_not_locked() -> None:
    assert not left_out() & (lock("runtime").keys() | lock("dev").keys())


def test_what_is_imported_is_declared() -> None:
    providers = importlib.metadata.packages_distributions()
    used = {name for module in modules() for name in imports(module)} - sys.stdlib_module_names - {*PACKAGES}
    missing = {
        name
        for name in used
        if not {canonicalize_name(dist) for dist in providers.get(name, ())} & declared("runtime").keys()
    }
    assert missing == set(), "add the distribution to the dependencies in pyproject.toml and run packaging/lock.py"


def test_the_readme_lists_the_dependencies() -> None:
    """A table under a heading with "Dependencies", the name first and in backticks."""
    readme = ROOT / "README.md"
    if not readme.exists():
        return
    section = re.search(r"^#+ .*Dependencies.*\n((?:(?!#).*\n?)*)", readme.read_text(encoding="utf-8"), re.MULTILINE)
    assert section, "README.md has no section on dependencies"
    listed = {canonicalize_name(name) for name in re.findall(r"^\|\s*`([\w.-]+)`", section[1], re.MULTILINE)}
    assert listed == set(declared("runtime"))
