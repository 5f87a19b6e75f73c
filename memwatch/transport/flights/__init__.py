"""The last records of processes: their file, the folder they are in, and the checks of what comes over the wire."""
