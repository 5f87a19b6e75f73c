"""What is known to make memory grow: in a site, and in releases of packages."""
