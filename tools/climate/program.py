"""Starting graticule, one process for each core, and stopping all of them when one fails."""

import json
import os
import signal
import subprocess
import sys
import threading

PROGRAM = os.environ.get("GRATICULE", "build/release/graticule")


class FailedError(Exception):
    """A command that failed; the text holds it and the end of what it said."""


class Runner:
    """Runs commands for several threads at once. After `stop` none starts, and those under way are ended."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.stopped = False

    def run(self, command, log):
        """Waits for it. What it says goes to the file `log`; FailedError when its exit code is not 0."""
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "a") as file:
            with self.lock:
                if self.stopped:
                    raise FailedError("stopped")
                # Open files that may be inherited are: the lock of the folder (reproduce.hold) lives with the command.
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
        """Trainings write a checkpoint when they are asked to end, so nothing is lost."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                os.killpg(process.pid, signal.SIGTERM)


def ask(*arguments):
    """The JSON that a short graticule command prints."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise FailedError(done.stderr.strip() or f"exit code {done.returncode} from graticule {' '.join(arguments)}")
    return json.loads(done.stdout)


def write_whole(path, text):
    """The file as a whole, or as it was."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def say(sentence):
    print(f"[climate] {sentence}", file=sys.stderr, flush=True)
