"""Two releases of a real program: which dependency grew, and nothing said where none did."""
