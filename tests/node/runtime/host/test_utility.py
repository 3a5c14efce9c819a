from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.errors import HostError
from tests.node.runtime.machine import NOW, U64, Machine, R


def test_fetch_is_off_and_reads_nothing() -> None:
    machine = Machine()
    assert machine.call("fetch", U64, U64, U64, U64, R) == 1
    assert machine.register() == b"Host function 'fetch' is temporarily disabled."
    assert len(machine.register()) == 46


def test_time_and_randomness_come_with_the_call() -> None:
    machine = Machine()
    target = machine.room(8)
    machine.call("time_now", target)
    assert int.from_bytes(machine.seen(target), "little") == NOW
    for length in (0, 1, 32):
        target = machine.room(length)
        machine.call("random_bytes", target)
        assert machine.seen(target) == bytes([machine.seed]) * length
    for length in (7, 9):
        with pytest.raises(HostError, match="invalid memory access"):
            machine.call("time_now", machine.room(length))
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("random_bytes", machine.raw_buffer(16, U64))


def test_signatures() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    machine = Machine()
    public, message = machine.buffer(key.public_key().public_bytes_raw()), machine.buffer(b"message")
    signature, other = machine.buffer(key.sign(b"message")), machine.buffer(key.sign(b"other"))
    assert machine.call("ed25519_verify", signature, public, message) == 1
    assert machine.call("ed25519_verify", other, public, message) == 0
    with pytest.raises(HostError, match=r"^incorrect ed25519 public key$"):
        machine.call("ed25519_verify", signature, machine.buffer((2).to_bytes(32, "little")), message)
    for wrong in ((machine.room(63), public), (machine.room(65), public), (signature, machine.room(31))):
        with pytest.raises(HostError, match="invalid memory access"):
            machine.call("ed25519_verify", *wrong, message)
