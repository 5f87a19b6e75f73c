"""Pages of recycling: the policies, and the workers that were recycled."""
