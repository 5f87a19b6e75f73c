"""Processes as they are now and one after the other: by service, slot and release."""
