"""Programs from public bug reports, labelled on 2026-11-30 before memwatch judged them; a folder an area."""
