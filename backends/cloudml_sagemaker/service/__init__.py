"""AWS's own description of SageMaker, as botocore ships it, and the strict check against it."""
