"""A pipeline as Vertex AI takes it."""
