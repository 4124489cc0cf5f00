"""Hosts for benchmarks: network namespaces of this machine, which a bridge with limited links joins. Ranks talk over
TCP. It needs root, iproute2 and the built program."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build/release/graticule"
BRIDGE = "graticule0"
ADDRESS = "10.77.0.{}"
MPIEXEC_ADDRESS = ADDRESS.format(254)

# A substitute for rsh: it enters the network of the host under its own name, so that MPI sees several machines.
ENTER = """#!/bin/sh
host=$1; shift
exec ip netns exec graticule-host-${host##*.} unshare -u sh -c 'hostname $0; exec sh -c "$*"' "host-${host##*.}" "$@"
"""

# Runs on every host at the same time: receives a stream from the previous host, sends one to the next, prints seconds.
STREAM = """
import socket, sys, threading, time
count, next_host = int(sys.argv[1]), sys.argv[2]
listener = socket.create_server(("", 7000))
def give():
    for attempt in range(100):
        try:
            socket.create_connection((next_host, 7000)).sendall(bytes(count))
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
thread = threading.Thread(target=give)
thread.start()
stream, _ = listener.accept()
start, left = time.monotonic(), count
while left:
    left -= len(stream.recv(1 << 20))
print(time.monotonic() - start)
thread.join()
"""


def sh(*words: str) -> None:
    subprocess.run(words, check=True)


def inside(host: int) -> list[str]:
    return ["ip", "netns", "exec", f"graticule-host-{host}"]


@contextlib.contextmanager
def network(hosts: range):
    """Makes hosts on a bridge, and removes them at the end."""
    sh("ip", "link", "add", BRIDGE, "type", "bridge")
    sh("ip", "addr", "add", f"{MPIEXEC_ADDRESS}/24", "dev", BRIDGE)
    sh("ip", "link", "set", BRIDGE, "up")
    try:
        for host in hosts:
            link = f"graticule-{host}"
            sh("ip", "netns", "add", f"graticule-host-{host}")
            sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", f"graticule-host-{host}")
            sh("ip", "link", "set", link, "master", BRIDGE, "up")
            sh(*inside(host), "ip", "addr", "add", f"{ADDRESS.format(host)}/24", "dev", "eth0")
            for name in ("eth0", "lo"):
                sh(*inside(host), "ip", "link", "set", name, "up")
        yield
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", f"graticule-host-{host}"], check=False)
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False)


def shape(hosts: range, mbit: int) -> None:
    """Limits both directions of every host's link to this many Mbit/s."""
    limit = ["root", "tbf", "rate", f"{mbit}mbit", "burst", "32kb", "latency", "20ms"]
    for host in hosts:
        sh("tc", "qdisc", "replace", "dev", f"graticule-{host}", *limit)
        sh(*inside(host), "tc", "qdisc", "replace", "dev", "eth0", *limit)


def goodput(hosts: range, mbit: int) -> float:
    """GB/s of a TCP stream at this rate of the links, for the slowest host."""
    count = mbit * 125_000  # a second's worth
    streams = [
        subprocess.Popen(
            [*inside(host), "python3", "-c", STREAM, str(count), ADDRESS.format(host % len(hosts) + 1)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in hosts
    ]
    return count / 1e9 / max(float(stream.communicate(timeout=60)[0]) for stream in streams)


def prepare(folder: Path, recipe: str) -> None:
    """What `step` reads."""
    (folder / "run").mkdir()
    (folder / "recipe.toml").write_text(recipe)
    (folder / "enter.sh").write_text(ENTER)
    (folder / "enter.sh").chmod(0o755)


def step(hosts: range, folder: Path, layout: list[str], repeats: int) -> dict:
    """What `bench step` says of the recipe in `folder`, with one rank on each host."""
    names = ",".join(ADDRESS.format(host) for host in hosts)
    words = ["nice", "-n", "-10", str(ROOT / ".venv/bin/mpiexec"), "-localhost", MPIEXEC_ADDRESS, "-launcher", "rsh"]
    words += ["-launcher-exec", str(folder / "enter.sh"), "-hosts", names, "-n", str(len(hosts)), "-ppn", "1"]
    words += [
        str(PROGRAM),
        "bench",
        "step",
        "--recipe",
        str(folder / "recipe.toml"),
        "--repeats",
        str(repeats),
        "--json",
    ]
    for value in layout:
        words += ["--set", value]
    environment = os.environ | {"UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "eth0"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment, timeout=900)
    return json.loads(done.stdout.splitlines()[-1])
