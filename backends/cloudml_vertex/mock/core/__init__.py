"""What every room of the mock works with: world, requests, names, errors, operations."""
