"""The settings of a node: model, file, environment, validation. Nothing here reads a file or the environment."""
