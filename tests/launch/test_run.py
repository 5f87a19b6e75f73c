"""``memwatch run``: any Python program carries the agent, and is otherwise as it was."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.running import ROOT, Hub, command, done, environment, python, running
from tests.waiting import until

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


def test_a_program_is_watched_and_says_nothing_of_it(hub: Hub, tmp_path: Path) -> None:
    script = tmp_path / "nightly_report.py"
    script.write_text(WAIT)
    with running(python(str(script)), environment(hub), tmp_path) as process:
        report = hub.wait_for(process.pid)
        assert (report.process.service, report.process.program) == ("nightly_report", "nightly_report.py")
        out, _ = process.communicate("")
    assert (out, process.returncode, (tmp_path / "errors").read_text()) == ("up\n", 0, "")
    assert until(lambda: any(each.goodbye for each in hub.of(process.pid)))


def test_the_service_is_that_of_the_option(hub: Hub, tmp_path: Path) -> None:
    environ = environment(hub, MEMWATCH_SERVICE="other")
    with running(python("-c", WAIT, options=["--service", "api"]), environ, tmp_path) as process:
        assert hub.wait_for(process.pid).process.service == "api"


def test_a_key_in_a_file_admits_commands_and_another_key_does_not(hub: Hub, tmp_path: Path) -> None:
    from memwatch.transport.wire import Command, Report

    (tmp_path / "key").write_text("of the file\n")
    environ = environment(hub)
    with running(python("-c", WAIT, options=["--key-file", "key"]), environ, tmp_path) as process:
        key = hub.wait_for(process.pid).process.key
        answers = hub._hub.request({key: Command.make("ping", key).encode("of the file")}, timeout_s=30)
        assert [each.state for each in Report.decode(answers[key]).answers] == ["done"]
        hub._hub.notify({key: Command.make("ping", key).encode("another")})
        assert until(lambda: any(each.refused_commands for each in hub.of(process.pid)))
        out, _ = process.communicate("")
    assert (out, process.returncode) == ("up\n", 0)


def test_arguments_input_output_and_exit_code_are_those_of_the_program(hub: Hub, tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write(sys.stdin.read() + repr(sys.argv[1:])); sys.exit(7)"
    got = done(python("-c", program, "--service", "a b", "--", "-x"), environment(hub), tmp_path, input="in")
    assert (got.returncode, got.stdout, got.stderr) == (7, "in['--service', 'a b', '--', '-x']", "")


def test_signals_reach_the_program(hub: Hub, tmp_path: Path) -> None:
    with running(python("-c", WAIT), environment(hub), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    got = done(command("sh", "-c", "yes | head -1"), environment(hub), tmp_path)
    assert (got.stdout, got.stderr) == ("y\n", "")  # SIGPIPE ends a program that is none of Python's


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-Bsc", "-sE"])
def test_a_python_that_looks_for_nothing_runs_unwatched_and_one_line_says_so(
    hub: Hub, tmp_path: Path, option: str
) -> None:
    rest = ["print(1)"] if option.endswith("c") else ["-c", "print(1)"]
    got = done(python(option, *rest), environment(hub), tmp_path)
    assert (got.returncode, got.stdout) == (0, "1\n")
    assert len(got.stderr.splitlines()) == (0 if option == "-Bsc" else 1)
    if got.stderr:
        assert got.stderr.startswith(f"memwatch: {sys.executable} is not watched: its Python")


def test_a_child_without_the_agent_is_unharmed(hub: Hub, tmp_path: Path) -> None:
    program = f"import subprocess as s, sys; print(s.check_output([sys.executable, '-I', '-c', 'print(2)'])); {WAIT}"
    with running(python("-c", program), environment(hub), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "b'2\\n'\n"
        hub.wait_for(process.pid)
    assert (tmp_path / "errors").read_text() == ""
    assert {each.process.pid for each in hub.read()} == {process.pid}


def test_what_cannot_be_started_is_said_as_a_shell_says_it(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    environ = environment(hub)
    assert done(command("no-such-program"), environ, tmp_path).returncode == 127
    assert done(command("./plain"), environ, tmp_path).returncode == 126
    for options in (["--service", "a/b"], ["--transport", "http://hub"], ["--key-file", "none"], ["--nothing"], ["--"]):
        got = done([sys.executable, "-m", "memwatch", "run", *options, "true"], environ, tmp_path)
        assert got.returncode == (127 if options == ["--"] and not shutil.which("true") else 2) or options == ["--"]
        assert options == ["--"] or got.stderr.startswith(f"memwatch: {options[0]}")
    without = {name: value for name, value in environ.items() if name != "MEMWATCH_TRANSPORT"}
    assert done(command("true"), without, tmp_path).returncode == 2


OWN = """\
import sys
sys.seen = [sys.modules["sitecustomize"].__file__ == __file__, [each for each in sys.path if "launch/path" in each]]
"""


def test_the_programs_own_sitecustomize_runs(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text(OWN)
    environ = environment(hub)
    environ["PYTHONPATH"] = f"{tmp_path}/own{os.pathsep}{environ['PYTHONPATH']}"
    program = "import sitecustomize, sys; print(sitecustomize.__file__, *sys.seen)"
    got = done(python("-c", program), environ, tmp_path)
    assert (got.stdout, got.stderr) == (f"{tmp_path}/own/sitecustomize.py True []\n", "")


def test_an_error_in_it_shows_as_it_would_without_memwatch(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import no_such_module\n")
    environ = environment(hub)
    environ["PYTHONPATH"] = f"{tmp_path}/own{os.pathsep}{environ['PYTHONPATH']}"
    plain = done([sys.executable, "-c", "print(1)"], environ, tmp_path)
    watched = done(python("-c", "print(1)"), environ, tmp_path)
    assert "no_such_module" in plain.stderr
    assert (watched.stdout, watched.stderr) == (plain.stdout, 2 * plain.stderr)  # memwatch's own start has it too


def test_the_path_of_the_program_is_as_it_was(hub: Hub, tmp_path: Path) -> None:
    plain = done([sys.executable, "-c", "import sys; print(sys.path)"], environment(hub), tmp_path)
    watched = done(python("-c", "import sys; print(sys.path)"), environment(hub), tmp_path)
    assert watched.stdout == plain.stdout


CHILDREN = """\
import multiprocessing, os, subprocess, sys, time

def child(done):
    done.wait()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1]) if sys.argv[1] != "subprocess" else None
    if context is None:
        short = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
        assert short.stderr == "", short.stderr
        made = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        print(made.pid, int(short.stdout), flush=True)
        sys.stdin.read()
        made.communicate(b"")
    else:
        done = context.Event()
        made = context.Process(target=child, args=(done,))
        made.start()
        print(made.pid, 0, flush=True)
        sys.stdin.read()
        done.set()
        made.join()
        assert made.exitcode == 0
"""


@pytest.mark.parametrize("way", ["subprocess", "fork", "spawn", "forkserver"])
def test_children_are_watched_however_they_are_made(hub: Hub, tmp_path: Path, way: str) -> None:
    (tmp_path / "parent.py").write_text(CHILDREN)
    with running(python("-W", "error", "parent.py", way), environment(hub), tmp_path) as process:
        assert process.stdout is not None
        made, short = map(int, process.stdout.readline().split())
        child = hub.wait_for(made).process
        parent = hub.wait_for(process.pid).process
        process.communicate("")
    assert (tmp_path / "errors").read_text() == ""
    assert process.returncode == 0
    assert parent.service == "parent"
    assert child.service == ("python" if way == "subprocess" else "parent")
    assert hub.of(short) == []


def test_a_process_that_becomes_another_program_is_watched_as_that(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "second.py").write_text(WAIT)
    (tmp_path / "first.py").write_text(f"import os\nos.execv({sys.executable!r}, [{sys.executable!r}, 'second.py'])\n")
    with running(python("first.py"), environment(hub), tmp_path) as process:
        assert hub.wait_for(process.pid).process.program == "second.py"


SLOW = """
import os, sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "memwatch.agent.agent" and os.getpid() == first:
            importing.append(name)
            time.sleep(2.5)

first, importing = os.getpid(), []
sys.meta_path.insert(0, Slow())
while not importing:
    time.sleep(0.01)
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
sys.stdin.read()
os.kill(child, 9)
"""


def test_a_child_that_is_forked_amid_slow_imports_is_watched(hub: Hub, tmp_path: Path) -> None:
    with running(python("-W", "error", "-c", SLOW), environment(hub), tmp_path) as process:
        assert process.stdout is not None
        hub.wait_for(int(process.stdout.readline()))
        process.communicate("")
    assert (tmp_path / "errors").read_text() == ""


FORKS = """\
import os, sys
forks = 0
while forks < 500 or "memwatch.agent.lifecycle" not in sys.modules:
    forks += 1
    pid = os.fork()
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
print("done", flush=True)
sys.stdin.read()
"""


def test_five_hundred_short_children_neither_report_nor_harm(hub: Hub, tmp_path: Path) -> None:
    with running(python("-W", "error", "-c", FORKS), environment(hub), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n", (tmp_path / "errors").read_text()
        hub.wait_for(process.pid)
        process.communicate("")
    assert (process.returncode, (tmp_path / "errors").read_text()) == (0, "")
    assert {each.process.pid for each in hub.read()} == {process.pid}


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/0", "local:///proc/nowhere", "rediss://user:secret@127.0.0.1:1/0"]
)
def test_a_transport_that_cannot_be_reached_harms_nothing(hub: Hub, tmp_path: Path, url: str) -> None:
    program = "import sys, time, threading\nprint('up', flush=True)\nfor _ in range(400):\n time.sleep(0.01)"
    program += "\n if any('memwatch.agent.agent' == name for name in list(sys.modules)): break\ntime.sleep(1)"
    got = done(python("-c", program), environment(hub, MEMWATCH_TRANSPORT=url), tmp_path)
    assert (got.returncode, got.stdout) == (0, "up\n")
    assert len(got.stderr.splitlines()) <= 1
    assert "secret" not in got.stderr


def test_a_program_on_a_read_only_file_system_is_watched(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]
    bound = 'mount --rbind / /mnt && mount --bind "$1" "/mnt$1" && mount -o remount,ro,bind /mnt && shift'
    chroot = f'{bound} && exec chroot /mnt "$@"'
    tried = subprocess.run([*alone, chroot, "sh", str(folder), "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no file system may be made read-only here")
    script = "import os, sys\ntry:\n os.mkdir('/tmp/of-the-test')\nexcept OSError as error:\n print(error.errno)\n"
    program = python("-uc", f"{script}sys.stdin.read()")
    with running([*alone, chroot, "sh", str(folder), *program], environment(hub), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{errno.EROFS}\n"
        hub.wait_for(process.pid)
        process.communicate("")
    assert (tmp_path / "errors").read_text() == ""


def test_a_wrong_variable_is_named_in_one_line(hub: Hub, tmp_path: Path) -> None:
    program = "import sys, time; print('up', flush=True); time.sleep(60)"
    environ = environment(hub, MEMWATCH_SNAPSHOT_INTERVAL="soon")
    with running(python("-c", program), environ, tmp_path) as process:
        errors = until((tmp_path / "errors").read_text)
        assert process.poll() is None
    assert errors.startswith(f"memwatch: process {process.pid} is not watched: MEMWATCH_SNAPSHOT_INTERVAL is 'soon'")
    assert len(errors.splitlines()) == 1


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment without memwatch and psutil."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="without /proc psutil says what a process is")
def test_a_child_in_an_environment_without_psutil_is_watched(hub: Hub, tmp_path: Path, empty_environment: Path) -> None:
    environ = {name: value for name, value in environment(hub).items() if name != "PYTHONPATH"}
    program = "import sys; print([each for each in sys.path if 'site-packages' in each], flush=True); sys.stdin.read()"
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from memwatch.__main__ import main; sys.exit(main())"
    start = [sys.executable, "-c", begin, "run", "--"]
    with running([*start, f"{empty_environment}/bin/python", "-c", program], environ, tmp_path) as process:
        report = hub.wait_for(process.pid)
        out, _ = process.communicate("")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert out == f"['{empty_environment}/lib/{version}/site-packages']\n"
    assert (process.returncode, (tmp_path / "errors").read_text()) == (0, "")
    assert report.process.started_at.timestamp() > 0


def test_every_program_of_an_environment_is_watched_where_it_was_asked_for(
    hub: Hub, tmp_path: Path, empty_environment: Path
) -> None:
    import psutil

    name = str(empty_environment / "bin" / "python")
    folder = next(empty_environment.glob("lib/*/site-packages"))
    (folder / "found.pth").write_text(f"{Path(psutil.__file__).parents[1]}\n{ROOT}\n")
    environ = {each: value for each, value in environment(hub).items() if each != "PYTHONPATH"}
    installed = done([name, "-m", "memwatch", "run", "--install"], environ, tmp_path)
    assert installed.stdout == f"{folder}/memwatch-run.pth\n"
    with running([name, "-c", WAIT], environ, tmp_path) as process:
        hub.wait_for(process.pid)
    quiet = {each: value for each, value in environ.items() if each != "MEMWATCH_TRANSPORT"}
    loaded = done(
        [name, "-c", "import sys; print([each for each in sys.modules if 'memwatch' in each])"], quiet, tmp_path
    )
    assert loaded.stdout == "[]\n"
    assert done([name, "-m", "memwatch", "run", "--uninstall"], environ, tmp_path).returncode == 0
    assert not (folder / "memwatch-run.pth").exists()


def test_the_folder_on_the_path_and_the_environment_are_enough(hub: Hub, tmp_path: Path) -> None:
    folder = done([sys.executable, "-m", "memwatch", "run", "--folder"], environment(hub), tmp_path).stdout.strip()
    environ = environment(hub)
    environ["PYTHONPATH"] = f"{folder}{os.pathsep}{environ['PYTHONPATH']}"
    with running([sys.executable, "-c", WAIT], environ, tmp_path) as process:
        hub.wait_for(process.pid)
    off = done([sys.executable, "-c", "import sys; print('memwatch' in sys.modules)"],
               {**environ, "MEMWATCH_TRANSPORT": ""}, tmp_path)  # fmt: skip
    assert (off.stdout, off.stderr) == ("False\n", "")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_older_python_runs_unwatched_and_one_line_says_so(hub: Hub, tmp_path: Path, version: str) -> None:
    found = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), *Path("/usr/bin").glob(f"python{version}")]
    if not found:
        pytest.skip(f"Python {version} is not installed")
    got = done(command(str(found[0]), "-c", "import sys; print(sys.version_info[0])"), environment(hub), tmp_path)
    assert (got.returncode, got.stdout) == (0, f"{version[0]}\n")
    assert got.stderr.splitlines() == [got.stderr.strip()]
    assert f"memwatch: Python {version} in process" in got.stderr
