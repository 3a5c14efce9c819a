"""What the repairs are for, seen in processes of their own: without them nothing loads, with them little does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"aioquic", "anyio", "Crypto", "coincurve", "fastecdsa", "httpx", "miniupnpc", "prometheus_client", "zeroconf"}


def loaded(*statements: str) -> set[str]:
    """Top-level packages that a fresh interpreter loads for the statements."""
    code = "\n".join(
        ["import sys", *statements, "sys.stdout.write(' '.join({n.partition('.')[0] for n in sys.modules}))"]
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_worker_loads_none_of_the_parts_that_it_does_not_use() -> None:
    assert not loaded("import workers.network.main") & HEAVY


def test_without_the_repairs_the_same_import_drags_them_in_or_fails() -> None:
    statement = "import libp2p.security.noise.patterns"
    code = f"import sys\ntry:\n    {statement}\nexcept ImportError as e:\n    sys.stdout.write(str(e))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "fastecdsa" in done.stdout or loaded(statement) & HEAVY


def test_without_the_placeholders_the_ciphers_of_other_kinds_of_keys_come_along() -> None:
    without = loaded(
        "from workers.network import repairs",
        "repairs.bypass_package_inits()",
        "import libp2p.security.noise.patterns",
    )
    assert {"Crypto", "coincurve"} <= without


def test_preparing_twice_changes_nothing() -> None:
    loaded(
        "from workers.network import repairs",
        "repairs.prepare()",
        "first = dict(sys.modules)",
        "repairs.prepare()",
        "assert dict(sys.modules) == first",
    )


def test_another_version_is_refused_with_the_cure() -> None:
    loaded(
        "from workers.network import repairs",
        "from node.errors import ConfigError",
        "repairs.WANTED_VERSION = '9.9'",
        "try:",
        "    repairs.prepare()",
        "except ConfigError as error:",
        "    assert 'this program needs 9.9' in str(error)",
        "else:",
        "    raise AssertionError('accepted')",
    )


def test_keys_that_are_not_ed25519_are_refused_by_name() -> None:
    loaded(
        "import workers.network.secure",
        "from libp2p.crypto.serialization import deserialize_public_key",
        "try:",
        "    deserialize_public_key(bytes.fromhex('08001201ff'))",
        "except ValueError as error:",
        "    assert 'RSAPublicKey' in str(error)",
        "else:",
        "    raise AssertionError('accepted')",
    )
