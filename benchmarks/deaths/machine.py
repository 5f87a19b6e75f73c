"""The programs in a virtual machine with another kernel: ``python -m benchmarks.deaths.machine KERNEL MODULES …``.

So are cgroups of version 2 tested on a machine that has version 1, and kernels before 6.15, which do not say how a
process ended that is no child. The machine sees this one's files, and writes to memory. Without KVM it
is emulated and slow.
"""

from __future__ import annotations

import argparse
import lzma
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.deaths.serving import ROOT
from tests.servers import find_program

MODULES = (
    "fs/netfs/netfs", "net/9p/9pnet", "net/9p/9pnet_virtio", "fs/9p/9p", "fs/overlayfs/overlay",
)  # fmt: skip
"""Loaded in this order."""
MEMORY_MB, CORES = 6144, 2
_INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t devtmpfs dev /dev
for module in {modules}; do $b insmod /modules/$module.ko; done
nine="-t 9p -o trans=virtio,version=9p2000.L,msize=500000"
$b mount $nine,cache=loose,ro host /host
$b mount -t tmpfs -o size=3G tmpfs /written; $b mkdir -p /written/upper /written/work
$b mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work overlay /new
$b mount -t proc proc /new/proc; $b mount -t sysfs sys /new/sys; $b mount -t devtmpfs dev /new/dev
$b mkdir -p /new/dev/shm /new/mnt/out; $b mount -t tmpfs tmpfs /new/dev/shm; $b mount $nine out /new/mnt/out
$b mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
$b ip link set lo up
$b chroot /new /bin/sh -c {command}
echo o > /proc/sysrq-trigger; $b sleep 60
"""


def initial_disk(folder: Path, modules: Path, words: list[str]) -> Path:
    """What the kernel starts: it makes this machine's files the other one's and runs the benchmark there."""
    busybox = find_program("busybox")
    if busybox is None:
        raise SystemExit("bench-deaths: busybox is not installed: apt-get install busybox-static cpio")
    root = folder / "disk"
    for name in ("bin", "modules", "proc", "dev", "host", "written", "new"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for module in MODULES:
        packed = modules / f"kernel/{module}.ko.xz"
        (root / f"modules/{packed.name[:-3]}").write_bytes(lzma.decompress(packed.read_bytes()))
    line = f"export PATH={os.environ['PATH']} HOME=/root; cd {shlex.quote(str(ROOT))}; uname -r; {shlex.join(words)}"
    command = shlex.quote(f"({line}; echo $? > /mnt/out/code) > /mnt/out/said 2>&1")
    names = " ".join(Path(module).name for module in MODULES)
    (root / "init").write_text(_INIT.format(modules=names, command=command))
    (root / "init").chmod(0o755)
    packed = folder / "disk.cpio"
    with packed.open("wb") as file:
        listed = b"\n".join(str(path.relative_to(root)).encode() for path in sorted(root.rglob("*")))
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=listed, stdout=file, check=True)
    return packed


def command(kernel: Path, disk: Path, out: Path, *, fast: bool) -> list[str]:
    """What starts the machine."""
    shares = (
        ("host", "/", "security_model=none,readonly=on,multidevs=remap"), ("out", str(out), "security_model=none"),
    )  # fmt: skip
    devices = [
        word
        for name, path, how in shares
        for word in ("-fsdev", f"local,id={name},path={path},{how}",
                     "-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}")
    ]  # fmt: skip
    return [
        "qemu-system-x86_64", "-accel", "kvm" if fast else "tcg,thread=multi", "-cpu", "host" if fast else "max",
        "-smp", str(CORES), "-m", str(MEMORY_MB), "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(kernel),
        "-initrd", str(disk), "-append", "console=ttyS0 panic=-1 quiet", *devices,
    ]  # fmt: skip


def main() -> int:
    """The exit code of the benchmark in the machine."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deaths.machine", description=__doc__)
    parser.add_argument("kernel", type=Path, help="of Debian's package linux-image-VERSION-amd64: boot/vmlinuz-VERSION")
    parser.add_argument("modules", type=Path, help="of the same package: lib/modules/VERSION")
    parser.add_argument("--kvm", action="store_true", help="where /dev/kvm works; else it is emulated")
    chosen, others = parser.parse_known_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        out = Path(folder) / "out"
        out.mkdir()
        disk = initial_disk(Path(folder), chosen.modules, [sys.executable, "-m", "benchmarks.deaths", *others])
        with (out / "console").open("wb") as console:
            words = command(chosen.kernel, disk, out, fast=chosen.kvm)
            machine = subprocess.Popen(words, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
            try:
                machine.wait()
            finally:
                machine.kill()
        said, code = out / "said", out / "code"
        print(said.read_text() if said.exists() else (out / "console").read_text(errors="replace"))
        return int(code.read_text()) if code.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
