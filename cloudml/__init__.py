"""cloudml: one typed ML pipeline, on a laptop and on both clouds."""

__version__ = "0.1.0"
