"""The site of the benchmark: its views, tasks and leaks are made of a program's declaration."""
