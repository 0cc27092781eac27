"""SageMaker: the mock that executes (`mock`), and the parts of a backend so far: compile, container, client, upload."""
