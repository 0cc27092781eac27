"""The commands, one module for each section of the help page. Thin: they ask and print."""
