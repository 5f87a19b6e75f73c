"""Ends of processes: the page *Deaths*, and the part of a process's page that explains how it ended."""
