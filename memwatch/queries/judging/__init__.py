"""What detection judges: series, floors and the lives of recycled workers."""
