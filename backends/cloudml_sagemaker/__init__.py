"""SageMaker: the mock that executes (`cloudml_sagemaker.mock`)."""
