"""What an application offers: its WebAssembly file read without an engine, and its ABI manifest.

Surfaces complete, check and explain calls from this. Nothing here runs a module.
"""
