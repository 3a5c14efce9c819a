"""A node moves: from merod to ours with all that it has, and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from calimero_tui import launch
from node.errors import StoreUnusable
from tests.interop.mixed.houses import House, Ours, Street, Theirs
from tests.interop.mixed.members import LATER, Member, create, join, until, until_agreed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]


def placed(street: Street, kind: type[House]) -> House:
    """A node that was made and not started."""
    known = tuple(house.address for house in street.houses)
    house = kind(f"moved{len(street.houses) + 1}", street.folder, street.relayer, known)
    street.houses.append(house)
    return house


def moved(member: Member, house: House) -> Member:
    return Member(house, member.context, member.key)


def test_a_home_of_the_reference_goes_on_here(street: Street) -> None:
    """The same identity, state, root and history; the other member, which stays what it is, hears what it writes."""
    (first, second) = street.open(Theirs, Theirs)
    alice = create(first)
    bob = join(alice, second)
    for number in range(20):
        alice.call("set", key=f"k{number}", value=str(number))
    until_agreed([alice, bob], LATER)
    root = alice.root
    first.stop()
    ours = placed(street, Ours)
    report = launch.import_merod(ours.home, first.home)
    assert (report["contexts"], report["checkpoints"]) == (1, 0)
    assert report["blobs"] > 0
    ours.start()
    carol = moved(alice, ours)
    assert carol.root == root
    assert carol.call("entries") == {f"k{number}": str(number) for number in range(20)}
    carol.call("set", key="here", value="now")
    until(lambda: bob.sees("here", "now"), LATER, "a write of the moved node")
    until_agreed([carol, bob], LATER)
    ours.stop()
    with pytest.raises(StoreUnusable, match="holds data already"):
        launch.import_merod(ours.home, first.home)


def test_a_home_of_ours_goes_on_at_the_reference(street: Street, tmp_path: Path) -> None:
    (first,) = street.open(Ours)
    alice = create(first)
    for number in range(20):
        alice.call("set", key=f"k{number}", value=str(number))
    root = alice.root
    first.stop()
    report = launch.export_merod(first.home, tmp_path / "for-merod")
    assert report["rows"] > 20
    theirs = placed(street, Theirs)
    for name in ("data", "blobs"):
        shutil.rmtree(theirs.home / name, ignore_errors=True)
        shutil.move(tmp_path / "for-merod" / name, theirs.home / name)
    theirs.start()
    bob = moved(alice, theirs)
    assert bob.root == root
    assert bob.call("entries") == {f"k{number}": str(number) for number in range(20)}
    bob.call("set", key="there", value="now")
    assert bob.sees("there", "now")
