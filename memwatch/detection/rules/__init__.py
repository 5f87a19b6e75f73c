"""The rules that decide whether growth is a leak, one module each question."""
