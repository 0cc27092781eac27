"""Finding everything that is wrong with a pipeline, at once; whoever wrote it, in Python or in YAML."""

from cloudml.validation.validate import CHECKS, errors, raise_errors, validate

__all__ = ["CHECKS", "errors", "raise_errors", "validate"]
