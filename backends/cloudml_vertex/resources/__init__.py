"""The kinds of things that cloudml makes in a Google project."""
