"""What real nodes must reach together, as runnable scenarios: ``python -m tests.acceptance``."""
