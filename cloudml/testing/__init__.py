"""What a backend is, as tests: `cloudml.testing.suite` for any backend, `cloudml.testing.samples` as what it runs."""
