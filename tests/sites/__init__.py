"""memwatch in sites that its authors did not write: ``make test-sites``."""
