"""The causal graph of one context: deltas, heads, waiting deltas, history. No clocks, no sockets, no store inside."""
