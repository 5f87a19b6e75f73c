"""Other libraries, and what applications do with them."""
