"""What runs in a step's job, on any cloud: a cloud's own part gives in a `Platform`, all else is done here.

It travels to the job in its bundle, so it imports only the standard library, `cloudml.runtime` and `cloudml.serving`.
"""
