"""memwatch's own state: tasks, transport, commands."""
