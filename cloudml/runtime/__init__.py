"""What runs inside a step's process: standard library first, started in milliseconds.

`main.run(envelope)` runs one step. The names that user code needs (handles, metrics, reports) are re-exported by
`cloudml` itself.
"""
