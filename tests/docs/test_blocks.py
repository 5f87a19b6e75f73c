"""Every code block of the documents is run or read by a test, or says in its source why not."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from memwatch.exposition import families
from tests.api.rows import store_leak
from tests.docs import commandlines
from tests.docs.blocks import NOT_RUN, PAGES, ROOT, RUN, RUN_BY, Block, all_blocks, commands_of, name_of, spans_of
from tests.docs.examples import finish, start_fragments
from tests.docs.settings_lines import check_settings
from tests.monitoring.files import METRIC, RECORD, recordings, whole_observation
from tests.services.stored import store_process

BLOCKS = all_blocks()
READ = ("console", "yaml", "toml", "ini", "json", "promql", "mermaid")
"""Languages whose blocks are checked below without a word in the source; Python's are run."""


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language and not block.marker]


def each(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=str)


@each(BLOCKS)
def test_a_block_is_checked_or_says_why_not(block: Block) -> None:
    if block.marker == NOT_RUN:
        assert len(block.value.split()) >= 2, "give the reason"
    elif block.marker == RUN_BY:
        path, _, test = block.value.partition("::")
        text = (ROOT / path).read_text()
        assert f"def {test}(" in text
        assert block.page.rpartition("/")[2] in text, "the test takes its text from somewhere else"
    elif block.marker == RUN:
        assert (block.language, block.value) == ("python", "settings")
    else:
        assert block.language in ("python", *READ), (
            f"{block}: nothing checks a block of {block.language or 'no language'}: "
            "see tests/docs/blocks.py for what to write before it"
        )


def test_no_mark_stands_alone() -> None:
    """One that is not right before its block, or misspelt, would mean nothing."""
    for page in PAGES:
        marks = re.findall(r"^<!-- (?:not )?run\b.*$", page.read_text(), re.MULTILINE)
        assert len(marks) == len([block for block in BLOCKS if block.page == name_of(page) and block.marker]), page


@pytest.mark.parametrize("page", sorted({block.page for block in of("python")}))
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    process = start_fragments(tmp_path, [block.text for block in of("python") if block.page == page])
    _output, errors = finish(process)
    assert (process.returncode, errors) == (0, "")


FOR_SETTINGS = {block.text: block for block in BLOCKS if (block.marker, block.value) == (RUN, "settings")}
"""The same lines, on several pages, are run once."""


@each(list(FOR_SETTINGS.values()))
def test_lines_for_settings_make_a_site_that_starts(block: Block, tmp_path: Path) -> None:
    check_settings(block.text, tmp_path)


def lines() -> Iterator[tuple[str, str]]:
    """Every command line: of console blocks, of units of systemd, and of inline code that begins like one."""
    for block in of("console"):
        yield from ((str(block), line) for line in commands_of(block))
    for block in of("ini"):
        yield from ((str(block), line) for line in re.findall(r"^Exec\w+=(?:\S*/)?(.+)$", block.text, re.MULTILINE))
    for block in of("yaml"):
        yield from ((str(block), line) for line in commands_in(list(yaml.safe_load_all(block.text))))
    begins = re.compile(rf"(?:manage\.py|make|celery -A|gunicorn|{'|'.join(commandlines.OURS)}) \S.*")
    for page in PAGES:
        for span in spans_of(page):
            if begins.fullmatch(span) and not set("…[{") & set(span):
                yield name_of(page), span.replace("NAME", "default").replace("ID", "17")


def commands_in(found: object) -> Iterator[str]:
    """Every ``command`` of a manifest or a compose file, a list of words."""
    if isinstance(found, dict):
        if isinstance(command := found.get("command"), list):
            yield shlex.join(command)
        found = list(found.values())
    if isinstance(found, list):
        for item in found:
            yield from commands_in(item)


@pytest.mark.parametrize(("where", "line"), sorted(set(lines())))
def test_a_command_line_is_one_that_its_program_takes(where: str, line: str) -> None:
    commandlines.check(line)


@pytest.mark.parametrize(
    "line",
    [
        "make nothing", "frobnicate", "python manage.py memwatch_tip", "python manage.py memwatch_top --nope",
        "manage.py memwatch_report --format pdf", "pip install 'memwatch[nope]'", "python -m benchmarks nope",
        "curl https://ops.example.org/api/v1/nope/", "curl -X POST https://ops.example.org/api/v1/leaks/",
        "celery -A yoursite worker --nope", "celery yoursite worker", "gunicorn --nope site", "uvicorn --nope site",
        "pytest tests/nope.py", "docker compose up nope", "promtool check rules monitoring/nope.yml",
    ],
)  # fmt: skip
def test_a_command_line_that_its_program_would_refuse_is_found(line: str) -> None:
    with pytest.raises(AssertionError):
        commandlines.check(line)


READING = re.compile(r"python manage\.py (memwatch_report|memwatch_top|memwatch_baseline list|check)\b(.*)")
"""Commands that change nothing and wait for nobody."""


@pytest.mark.django_db
@pytest.mark.parametrize("line", sorted({line for _where, line in lines() if READING.fullmatch(line)}))
def test_a_command_that_only_reads_runs_as_it_is_written(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = store_process()
    store_leak(process, pk=17)
    monkeypatch.chdir(tmp_path)
    name, *arguments = shlex.split(line, comments=True)[2:]
    said = io.StringIO()
    with contextlib.suppress(SystemExit):  # an exit code is an answer too
        call_command(name, *arguments, stdout=said, stderr=said)
    assert said.getvalue()


@each(of("console"))
def test_a_console_block_has_something_to_type(block: Block) -> None:
    assert list(commands_of(block))


PARSERS: dict[str, Callable[[str], object]] = {
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "toml": tomllib.loads,
    "json": json.loads,
    "ini": lambda text: _unit().read_string(text),
}


def _unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    return parser


@each([block for block in BLOCKS if block.language in PARSERS and not block.marker])
def test_what_is_written_in_a_format_is_in_it(block: Block) -> None:
    PARSERS[block.language](block.text)


def with_key(key: str) -> list[Block]:
    found = [(block, yaml.safe_load_all(block.text)) for block in of("yaml")]
    return [block for block, parts in found if any(isinstance(part, dict) and key in part for part in parts)]


@pytest.mark.prometheus
@each(with_key("scrape_configs"))
def test_prometheus_takes_its_configuration(block: Block, promtool: str, tmp_path: Path) -> None:
    run(promtool, "check", "config", "--syntax-only", write(tmp_path / "prometheus.yml", block.text))


@pytest.mark.prometheus
@each(with_key("receivers"))
def test_alertmanager_takes_its_configuration(block: Block, amtool: str, tmp_path: Path) -> None:
    run(amtool, "check-config", write(tmp_path / "alertmanager.yml", block.text))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


@each(of("promql"))
def test_a_query_asks_for_series_that_there_are(block: Block) -> None:
    names = {sample.name for family in families(whole_observation()) for sample in family.samples}
    assert set(METRIC.findall(block.text)) <= names
    assert set(RECORD.findall(block.text)) <= {rule.name for rule in recordings()}


@pytest.mark.prometheus
def test_prometheus_takes_every_query(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": expression}
        for number, block in enumerate(of("promql"))
        for expression in re.split(r"\n\s*\n", block.text.strip())
    ]
    made = yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]})
    run(promtool, "check", "rules", write(tmp_path / "queries.yml", made))
