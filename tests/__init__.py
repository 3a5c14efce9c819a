"""Tests mirror the tree. This file makes the folder a package, so that no installed ``tests`` can take its place."""
