"""A SageMaker on this machine that serves the real API, refuses what AWS refuses, and runs what is submitted."""
