"""Handlers of the route table, by group. Each asks the worker that owns the answer and shapes the reply."""
