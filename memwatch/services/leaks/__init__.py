"""Opening, updating, renaming and ending leaks."""
