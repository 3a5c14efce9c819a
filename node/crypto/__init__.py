"""Keys, signatures, shared keys and seals. Randomness comes in as an argument; no key has a printable form."""
