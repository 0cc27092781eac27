"""Executes the compiled document: standard library only, so that a driver stays small and starts at once."""
