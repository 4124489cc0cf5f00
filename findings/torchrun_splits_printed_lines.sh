#!/bin/sh
# Under torchrun, print writes a line and its end apart, so the lines of two ranks can stand on one line.
#
# Seen with: torch 2.13.0, PyPI, and CPython 3.11.
# Behaviour: torchrun starts each rank as `python -u`, and all ranks share its standard output. Without a buffer print makes two
# system calls, one for the text and one for the end of the line; between them another rank may write. `flush=True` does not
# help. `sys.stdout.write(text + "\n")` makes one call. A plain start of the same program into a pipe makes one call for both.
# A program that reads such output line by line (a log parser, a test) then meets two records on a line, now and then.
# What to do: write whole lines at once (tests/python/ranks/destroyed.py does), or print on one rank alone.
# Output seen: "plain ['printed\n', 'written\n']" and "torchrun ['printed', '\n', 'written\n']".
# Fails if torchrun's ranks print a line in one call.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy
cat > rank.py <<'EOF'
import sys

print("printed", flush=True)
sys.stdout.write("written\n")
sys.stdout.flush()
EOF
venv/bin/python - <<'EOF'
import os
import socket
import subprocess
import sys


buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def calls(*command):
    """What each system call wrote: a socket of packets keeps them apart."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.run([sys.executable, *command], stdout=theirs, stderr=subprocess.DEVNULL, env=buffered, check=True)
    theirs.close()
    return [part.decode() for part in iter(lambda: ours.recv(1000), b"")]


plain = calls("rank.py")
ranks = calls("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", "rank.py")
print("plain", plain)
print("torchrun", ranks)
sys.exit([plain, ranks] != [["printed\n", "written\n"], ["printed", "\n", "written\n"]])
EOF
