"""What the screens show, as plain Python: no Textual, no event loop of its own, no clock that is not handed in."""
