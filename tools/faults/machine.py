"""What faults of a machine can be made here: a full disk, a read-only folder, a memory limit, another clock."""

import contextlib
import glob
import os
import subprocess
import sys
import time
from pathlib import Path

CLOCK = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)  # Debian's package faketime
HOG = """
import sys, time
open("/proc/self/oom_score_adj", "w").write("-1000")  # the kernel ends a rank, not this process
open(sys.argv[1], "w").write("0")
held = []
while True:
    held.append(bytearray(1 << 20))
    for page in range(0, 1 << 20, 4096): held[-1][page] = 1
"""


def enter_own_mounts():
    """Starts this program again in mounts of its own, which end with it. Goes on without them if it has no right to."""
    if "GRATICULE_FAULTS_MOUNTS" in os.environ:
        return
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    allowed = not quietly(*private, "mount", "-t", "tmpfs", "none", "/mnt")
    os.environ["GRATICULE_FAULTS_MOUNTS"] = "1" if allowed else ""
    if allowed:
        os.execvp(private[0], [*private, sys.executable, *sys.argv])


def quietly(*command):
    """The exit code of a command that prints nothing."""
    try:
        return subprocess.run(list(map(str, command)), capture_output=True).returncode
    except FileNotFoundError:
        return 127


def can_mount():
    return os.environ.get("GRATICULE_FAULTS_MOUNTS") == "1"


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of `size` bytes in memory, at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder, free):
    """Leaves `free` bytes on the small disk of the folder. Returns the file that takes the others."""
    filler = folder / "filler"
    with open(filler, "wb") as file, contextlib.suppress(OSError):
        status = os.statvfs(folder)
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - free)))
    return filler


def make_read_only(folder):
    folder.mkdir(exist_ok=True)  # the job may not have come so far
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    while quietly("mount", "-o", "remount,bind,ro", folder):  # as long as a file there is being written
        time.sleep(0.01)


def make_writable(folder):
    quietly("umount", folder)  # it fails if the fault did not come


class MemoryGroup:
    """A control group of its own, below that of this process. Use it with `with`."""

    def __init__(self, name):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        memory = [line.split(":") for line in lines if line.split(":")[1] in ("memory", "")]
        kind, path = max((line[1], line[2]) for line in memory)
        root = Path("/sys/fs/cgroup/memory") if kind else Path("/sys/fs/cgroup")
        self.folder = root / path.strip("/") / name
        self.limit = "memory.limit_in_bytes" if kind else "memory.max"
        self.used = "memory.usage_in_bytes" if kind else "memory.current"
        self.hog = None

    def __enter__(self):
        self.folder.mkdir()
        (self.folder / self.limit).write_text("-1" if "in_bytes" in self.limit else "max")
        return self

    def __exit__(self, *error):
        self.end_hog()
        for _ in range(50):  # the kernel may still count the processes that ended
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.1)

    def starts(self, command):
        """The command, run inside the group."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def use_up(self):
        """Another process of the group takes all memory that the limit leaves. The kernel must end a process."""
        used = int((self.folder / self.used).read_text())
        (self.folder / self.limit).write_text(str(used + (16 << 20)))
        self.hog = subprocess.Popen([sys.executable, "-c", HOG, str(self.folder / "cgroup.procs")])

    def end_hog(self):
        if self.hog:
            self.hog.kill()
            self.hog.wait()
            self.hog = None


def can_limit_memory():
    try:
        with MemoryGroup(f"graticule-faults-{os.getpid()}"):
            return os.geteuid() == 0
    except (OSError, ValueError):
        return False


def environment_of_clock(file):
    """The variables under which a program sees the clock that the file names, such as "-3h"."""
    file.write_text("+0")
    return {
        "LD_PRELOAD": CLOCK,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
