"""The leaks: their list, the page of one, and what can be done to it."""
