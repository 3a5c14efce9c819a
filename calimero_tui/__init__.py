"""The user's surface: command line, dashboard, shell and recipes.

Talks to any node through HTTP and WebSocket alone.
"""
