"""What the management commands say: tables, reports and the doctor's findings, apart from how they are printed."""
