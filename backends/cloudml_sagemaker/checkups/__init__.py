"""What `cloudml doctor` looks at in an AWS account, one matter a module. Every check reads; none changes anything."""
