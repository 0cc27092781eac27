"""What lasts: the database, the artifacts, the locks."""
