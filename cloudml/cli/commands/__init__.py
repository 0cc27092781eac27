"""The commands, one module for each section of the help page. Each is thin: it asks `operations` or a session and prints."""
