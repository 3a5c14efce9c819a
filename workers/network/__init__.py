"""The network worker: trio and libp2p live here and nowhere else. It knows bytes and peers, not contexts."""
