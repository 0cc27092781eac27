"""What every room stands on: the service model, strict shapes, the store, the world, operations, listings."""
