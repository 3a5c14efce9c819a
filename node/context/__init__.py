"""Contexts: their single writer, lifecycle, membership, registry, invitations and application bundles."""
