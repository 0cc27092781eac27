"""Control steps that are calls of AWS's API, by the job's own role; the others are `cloudml.jobs.control`."""
