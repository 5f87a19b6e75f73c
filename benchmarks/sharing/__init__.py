"""What freezing before the fork keeps shared between workers."""
