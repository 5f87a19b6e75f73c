"""What a snapshot of a big heap costs, beside other tools."""
