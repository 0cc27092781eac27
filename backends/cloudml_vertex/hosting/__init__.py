"""Endpoints and what watches them, as both sides handle them: the jobs and the command line. Standard library only."""
