"""A site without an admin, whose middleware chooses the routes by host."""
