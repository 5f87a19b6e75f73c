"""Programs of a second round of public reports, labelled on 2026-11-30 by one who had not seen memwatch judge."""
