"""Control steps that are calls of Google's APIs."""
