"""From reports in the transport to rows in the database."""
