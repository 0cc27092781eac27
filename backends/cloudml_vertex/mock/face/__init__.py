"""The fronts: gRPC and HTTP, thin, over one core."""
