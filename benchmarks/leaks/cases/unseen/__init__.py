"""Programs of a fourth round of public reports, labelled on 2026-12-01 by one who had not seen memwatch judge."""
