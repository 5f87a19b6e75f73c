"""Which numbers keep the memory of a service below its target: pure functions of its stored lives."""
