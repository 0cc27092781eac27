"""The least that each identity must be allowed, derived from what a project compiles to."""
