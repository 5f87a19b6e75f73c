"""The pages and tasks of a site, and what its tools leave behind by themselves."""
