"""What a release changed: its processes against those of the release before, at the same age and work. Pure."""
