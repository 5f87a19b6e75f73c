"""What surrounds a process, in sentences: its container, and what it shares with the processes beside it."""
