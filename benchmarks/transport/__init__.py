"""How fast commands reach processes and answers come back."""
