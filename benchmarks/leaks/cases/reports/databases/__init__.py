"""Database drivers and object-relational mappers."""
