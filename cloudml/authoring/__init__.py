"""Typed Python becomes the spec: decorated functions are work, verbs are resources and decisions.

Nothing here imports pydantic before a pipeline is built: decorators keep what the author wrote, with its file and
line; `build()` makes the nodes.
"""
