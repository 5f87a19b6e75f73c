"""Who holds the objects of a type: in a forked copy, or in small steps within the process."""
