"""What a release changed: reads its processes, and those of the release before."""
