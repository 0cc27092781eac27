"""Vertex AI: a mock that executes."""
