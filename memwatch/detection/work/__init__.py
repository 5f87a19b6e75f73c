"""Which view, task or command makes a leak grow: from the numbers of calls, and from what calls kept and made."""
