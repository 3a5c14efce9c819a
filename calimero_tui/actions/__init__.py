"""One registry of actions behind every surface: commands, shell, dashboard and recipe steps are derived from it."""
