"""Encodings of keys; see :mod:`fastecdsa.encoding.sec1`."""
