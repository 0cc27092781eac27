"""The port every backend fills. Import the submodules: `port`, `records`, `feature` (which needs the spec)."""
