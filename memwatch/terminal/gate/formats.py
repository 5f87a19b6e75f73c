"""The outcome as text, JSON, JUnit and SARIF 2.1.0. Values only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

import memwatch
from memwatch.formatting import duration, megabytes
from memwatch.terminal.gate.outcome import DEATH, JOB_PEAK, LEAK, PEAK, RELEASE, Finding, Outcome

TITLES = {
    LEAK: "Memory leak",
    RELEASE: "More memory than the release before",
    PEAK: "Higher memory peak of a process",
    JOB_PEAK: "Higher memory peak of a view, task or command",
    DEATH: "Process killed or crashed",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(outcome: Outcome) -> str:
    """Lines to read."""
    return "\n".join(_lines(outcome)) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.state.capitalize()}, after {duration(outcome.seconds)}: {outcome.load}."
    for run in outcome.services:
        release = f" {run.release}" if run.release else ""
        peak = "" if run.peak_mb is None else f", peak {megabytes(run.peak_mb)}"
        if run.before and run.before_mb is not None:
            peak += f" ({megabytes(run.before_mb)} in release {run.before})"
        processes = "1 process" if run.processes == 1 else f"{run.processes} processes"
        yield f"{run.service}{release}: {processes}, {run.snapshots} snapshots{peak}"
    yield from outcome.releases
    yield from (f"? {reason}" for reason in outcome.unclear)
    for each in sorted(outcome.findings, key=lambda finding: bool(finding.known)):
        yield f"{'-' if each.known else '✗'} {TITLES[each.kind]}: {each.subject} in {each.service}"
        yield f"  {each.text}"
        if each.file:
            yield f"  added to at {each.file}:{each.line}"
        if each.known:
            yield f"  It does not fail the gate: {each.known}."


def as_json(outcome: Outcome) -> str:
    """One object."""
    told = {"state": outcome.state, **dataclasses.asdict(outcome)}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def as_junit(outcome: Outcome) -> str:
    """A test case for each finding, for each service that passed, and for each reason why the gate could not decide."""
    failing = outcome.failing
    suite = ElementTree.Element("testsuite", name="memwatch_gate", time=f"{outcome.seconds:.3f}")
    for each in outcome.findings:
        case = _case(suite, each.service, f"{each.kind}: {each.subject}")
        if each.known:
            ElementTree.SubElement(case, "skipped", message=_xml(each.known))
        else:
            failure = ElementTree.SubElement(case, "failure", type=each.kind, message=_xml(TITLES[each.kind]))
            failure.text = _xml(each.text + (f"\n{each.file}:{each.line}" if each.file else ""))
    failed = {each.service for each in failing}
    for run in outcome.services:
        if run.service not in failed:
            _case(suite, run.service, "memory")
    for reason in outcome.unclear:
        error = ElementTree.SubElement(_case(suite, "memwatch_gate", "could be judged"), "error", type="unclear")
        error.set("message", _xml(reason))
    cases = len(suite)
    suite.set("tests", str(cases))
    suite.set("failures", str(len(failing)))
    suite.set("errors", str(len(outcome.unclear)))
    suite.set("skipped", str(len(outcome.findings) - len(failing)))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NOT_XML.sub("?", text)


def _case(suite: ElementTree.Element, service: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_xml(service), name=_xml(name))


def as_sarif(outcome: Outcome) -> str:
    """SARIF 2.1.0, as code scanning reads it."""
    rules = [{"id": f"memwatch/{kind}", "shortDescription": {"text": title}} for kind, title in TITLES.items()]
    driver = {"name": "memwatch", "version": memwatch.__version__, "rules": rules}
    notices = [{"level": "error", "message": {"text": reason}} for reason in outcome.unclear]
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not outcome.unclear, "toolExecutionNotifications": notices}],
        "results": [_result(each) for each in outcome.findings],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(each: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": f"memwatch/{each.kind}",
        "level": "note" if each.known else "error",
        "message": {"text": f"{each.subject} in {each.service}: {each.text}"},
        "partialFingerprints": {"memwatch/v1": _fingerprint(each)},
    }
    if each.file:
        place = {"artifactLocation": {"uri": each.file.replace("\\", "/")}, "region": {"startLine": max(1, each.line)}}
        found["locations"] = [{"physicalLocation": place}]
    if each.known:
        found["suppressions"] = [{"kind": "external", "justification": each.known}]
    return found


def _fingerprint(each: Finding) -> str:
    """The same for the same finding of another run."""
    return hashlib.sha256("\0".join((each.kind, each.service, each.subject)).encode()).hexdigest()[:32]


FORMATS: Mapping[str, Callable[[Outcome], str]] = {
    "text": as_text,
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
}
