"""A Vertex AI that executes, on this machine."""
