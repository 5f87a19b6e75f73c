"""Workers that leak, recycled under load, against the same workers left alone."""
