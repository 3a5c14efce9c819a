"""Where a node's interfaces begin."""

from __future__ import annotations

from typing import Final

ADMIN: Final = "/admin-api"
"""The reference's admin API."""

OWN: Final = "/calimero/v1"
"""What our nodes add to it."""
