"""What runs in a job's container: AWS's folders on one side, `cloudml.runtime` on the other.

Imports only the standard library, `cloudml.runtime` and `cloudml.serving`; boto3 where a control step needs it.
"""
