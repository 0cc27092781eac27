"""The HTTP server of mock clouds: loopback only, connections kept alive, strict about what it reads."""
