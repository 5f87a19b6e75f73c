"""What an allocator check returns, against ``malloc_trim`` called by gdb in the same program."""
