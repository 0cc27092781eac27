"""What runs in a job on Vertex AI: its executor input and output, and Google's APIs, given in to `cloudml.jobs`.

Imports only the standard library, `cloudml.jobs`, `cloudml.runtime` and `cloudml.serving`: any Python image will do.
"""
