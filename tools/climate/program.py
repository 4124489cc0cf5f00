"""Starts graticule, one process for each core, and stops all of them when one fails."""

import json
import os
import signal
import subprocess
import sys
import threading

PROGRAM = os.environ.get("GRATICULE", "build/release/graticule")


class FailedError(Exception):
    """A command failed; the text has the command and the end of its output."""


class Runner:
    """Runs commands for several threads. `stop` ends the running commands, and no other one starts after it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.stopped = False

    def run(self, command, log):
        """Runs the command to its end, with its output in the file `log`; FailedError if its exit code is not 0."""
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "a") as file:
            with self.lock:
                if self.stopped:
                    raise FailedError("stopped")
                # The command inherits open files, so it holds the lock of the folder (reproduce.hold) too.
                process = subprocess.Popen(
                    command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, close_fds=False
                )
                self.running.add(process)
            code = process.wait()
            with self.lock:
                self.running.discard(process)
        if code != 0:
            with open(log) as file:
                end = "".join(file.readlines()[-8:])
            raise FailedError(f"exit code {code} from: {' '.join(command)}\n{end}")

    def stop(self):
        """Ends all commands. A training writes a checkpoint when it gets the signal, so nothing is lost."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                os.killpg(process.pid, signal.SIGTERM)


def ask(*arguments):
    """Runs a short graticule command and returns the JSON that it prints."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise FailedError(done.stderr.strip() or f"exit code {done.returncode} from graticule {' '.join(arguments)}")
    return json.loads(done.stdout)


def write_whole(path, text):
    """Replaces the file by one with this text; after a failure the old file remains."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def say(sentence):
    print(f"[climate] {sentence}", file=sys.stderr, flush=True)
