"""Recipes: YAML files that run against real nodes without a terminal. Reading, templates and checks are pure."""
