"""``manage.py memwatch_doctor``: what works, what does not, and what to do about it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from memwatch.terminal.doctor import Diagnosis, examine
from memwatch.terminal.finding import Finding


class Command(BaseCommand):
    help = (
        "Checks the installation line by line: ✓ works, ✗ does not (with what to do), · is for information. "
        "Run it as the user of web and workers, while they run. "
        "Examples: memwatch_doctor; memwatch_doctor --json; memwatch_doctor && memwatch_snapshot web-1. "
        "Exit code: 0 if everything works, 1 if something does not."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as one JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                self._say(finding)
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        if not Diagnosis(tuple(findings)).is_well:
            raise SystemExit(1)

    def _say(self, finding: Finding) -> None:
        mark = finding.mark
        if finding.ok is not None:
            mark = self.style.SUCCESS(mark) if finding.ok else self.style.ERROR(mark)
        self.stdout.write(f"{mark} {finding.text}")
        if finding.remedy:
            self.stdout.write(f"  → {finding.remedy}")
        self.stdout.flush()
