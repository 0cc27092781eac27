"""SageMaker: the mock that executes (`mock`), and the parts of a backend: `compile`, `container`, `client`, `upload`."""
