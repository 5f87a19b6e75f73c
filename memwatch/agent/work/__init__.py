"""Which job did it: every request, task and command of this process, measured around the call."""
