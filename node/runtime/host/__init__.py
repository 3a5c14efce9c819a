"""The host functions of core 0.10.0, one module per group; :mod:`node.runtime.host.table` declares them all.

A host function takes the call's VMLogic and unsigned integers, as many as its WASM parameters, and gives an unsigned
integer or None. It touches nothing but its arguments, and raises HostError to end the call.
"""
