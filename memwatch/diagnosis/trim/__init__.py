"""Is it the allocator? malloc is asked to give free memory back, and what it gives back is measured."""
