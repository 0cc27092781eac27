"""What a deployment makes on AWS: looked at, planned, applied and taken down, one kind of thing at a time."""
