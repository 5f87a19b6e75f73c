"""The page *Settings that fit*: the numbers for each service, and how they were calculated."""
