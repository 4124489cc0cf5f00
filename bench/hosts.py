"""Compares real training steps on four hosts with simulated ones. The hosts are network namespaces of this machine. A
bridge with limited links joins them, and the ranks talk over TCP. It needs root, iproute2 and the built program:

    .venv/bin/python bench/hosts.py [--rates 50,200,1000] [--repeats 3]

It prints a table: Mbit/s, layout, real and simulated seconds of a step, their ratio. It measures the cluster file for
the simulation: the time of products and attention while all four ranks compute, and the rate of a TCP stream from
each host to the next while the other direction is busy too.
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build/release/graticule"
HOSTS = range(1, 5)
BRIDGE = "graticule0"
ADDRESS = "10.77.0.{}"
MPIEXEC_ADDRESS = ADDRESS.format(254)

RECIPE = """
[data]
path = "synthetic:rows=32,columns=32,variables=4,times=240"
lead_hours = 24
train = ["2001-01-01", "2001-02-10"]
batch = 4
[model]
tokens = "full"
patch = 2
dim = 256
depth = 4
heads = 8
[train]
steps = 100
warmup = 1
precision = "fp32"
activations = "keep"
threads = 1
[run]
out = "{out}"
"""

LAYOUTS = {
    "ulysses 4": ["parallel.ulysses=4"],
    "lss 4": ["parallel.context=4", "parallel.context_method=lss"],
    "ring 4": ["parallel.context=4", "parallel.context_method=ring"],
    "data 4, shard full": ["parallel.data=4", "parallel.shard=full"],
}

# A substitute for rsh: it enters the network of the host under its own name, so that MPI sees four machines.
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

CLUSTER = """
name = "four_hosts"
nodes = 4
devices_per_node = 1
[device]
memory_gib = 4
memory_bandwidth_gb_s = {memory}
[device.bf16]
peak_tflops = {peak}
linear_tflops = {linear}
attention_tflops = {attention}
[device.fp32]
peak_tflops = {peak}
linear_tflops = {linear}
attention_tflops = {attention}
[within_node]
bandwidth_gb_s = 5
latency_us = 1
[across_nodes]
interfaces_per_node = 1
bandwidth_gb_s = {bandwidth}
latency_us = {latency}
[topology]
kind = "flat"
"""


def sh(*words: str) -> None:
    subprocess.run(words, check=True)


def inside(host: int) -> list[str]:
    return ["ip", "netns", "exec", f"graticule-host-{host}"]


@contextlib.contextmanager
def network():
    """Makes four hosts on a bridge, and removes them at the end."""
    sh("ip", "link", "add", BRIDGE, "type", "bridge")
    sh("ip", "addr", "add", f"{MPIEXEC_ADDRESS}/24", "dev", BRIDGE)
    sh("ip", "link", "set", BRIDGE, "up")
    try:
        for host in HOSTS:
            link = f"graticule-{host}"
            sh("ip", "netns", "add", f"graticule-host-{host}")
            sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", f"graticule-host-{host}")
            sh("ip", "link", "set", link, "master", BRIDGE, "up")
            sh(*inside(host), "ip", "addr", "add", f"{ADDRESS.format(host)}/24", "dev", "eth0")
            for name in ("eth0", "lo"):
                sh(*inside(host), "ip", "link", "set", name, "up")
        yield
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", f"graticule-host-{host}"], check=False)
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False)


def shape(mbit: int) -> None:
    """Limits both directions of every host's link to this many Mbit/s."""
    limit = ["root", "tbf", "rate", f"{mbit}mbit", "burst", "32kb", "latency", "20ms"]
    for host in HOSTS:
        sh("tc", "qdisc", "replace", "dev", f"graticule-{host}", *limit)
        sh(*inside(host), "tc", "qdisc", "replace", "dev", "eth0", *limit)


def goodput(mbit: int) -> float:
    """GB/s of a TCP stream at this rate of the links, for the slowest host."""
    count = mbit * 125_000  # a second's worth
    streams = [
        subprocess.Popen(
            [*inside(host), "python3", "-c", STREAM, str(count), ADDRESS.format(host % len(HOSTS) + 1)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in HOSTS
    ]
    return count / 1e9 / max(float(stream.communicate(timeout=60)[0]) for stream in streams)


def step(folder: Path, layout: list[str], repeats: int) -> dict:
    hosts = ",".join(ADDRESS.format(host) for host in HOSTS)
    words = ["nice", "-n", "-10", str(ROOT / ".venv/bin/mpiexec"), "-localhost", MPIEXEC_ADDRESS, "-launcher", "rsh"]
    words += ["-launcher-exec", str(folder / "enter.sh"), "-hosts", hosts, "-n", "4", "-ppn", "1", str(PROGRAM)]
    words += ["bench", "step", "--recipe", str(folder / "recipe.toml"), "--repeats", str(repeats), "--json"]
    for value in layout:
        words += ["--set", value]
    environment = os.environ | {"UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "eth0"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


def simulated(folder: Path, layout: list[str], **rates: float) -> dict:
    (folder / "hosts.toml").write_text(CLUSTER.format(peak=max(rates["linear"], rates["attention"]), **rates))
    words = [str(PROGRAM), "simulate", str(folder / "recipe.toml"), "--cluster", str(folder / "hosts.toml")]
    words += ["--ranks", "4", "--overlap", "0", "--json"]
    for value in layout:
        words += ["--set", value]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measured_rates(folder: Path, repeats: int) -> dict[str, float]:
    """The compute rates that explain the time of a step with almost no exchange."""
    layout = ["parallel.data=4", "parallel.shard=none"]
    real = step(folder, layout, repeats)
    guess = {"linear": 0.1, "attention": 0.1, "memory": 10.0, "bandwidth": 10.0, "latency": 50.0}
    parts = simulated(folder, layout, **guess)["parts_s"]
    seconds = {name: parts[name]["mean"] for name in ("linear", "attention", "pointwise", "optimizer")}
    rest = real["step_s"] - sum(real["parts_s"][name] for name in ("linear", "attention", "reduce"))
    return {
        "linear": guess["linear"] * seconds["linear"] / real["parts_s"]["linear"],
        "attention": guess["attention"] * seconds["attention"] / real["parts_s"]["attention"],
        "memory": guess["memory"] * (seconds["pointwise"] + seconds["optimizer"]) / rest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="50,200,1000", help="of the links, Mbit/s")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", type=float, default=100, help="of a message, microseconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, network():
        folder = Path(name)
        (folder / "run").mkdir()
        (folder / "recipe.toml").write_text(RECIPE.format(out=folder / "run"))
        (folder / "enter.sh").write_text(ENTER)
        (folder / "enter.sh").chmod(0o755)
        rates = measured_rates(folder, arguments.repeats)
        print({key: round(value, 4) for key, value in rates.items()}, flush=True)
        print("| Mbit/s | layout | real, s | simulated, s | simulated over real |\n|---|---|---|---|---|", flush=True)
        for mbit in map(int, arguments.rates.split(",")):
            shape(mbit)
            bandwidth = goodput(mbit)
            print(f"a stream gets {bandwidth * 8000:.0f} of {mbit} Mbit/s", flush=True)
            for title, layout in LAYOUTS.items():
                real = step(folder, layout, arguments.repeats)["step_s"]
                links = {"bandwidth": bandwidth, "latency": arguments.latency}
                plan = simulated(folder, layout, **rates, **links)["step_s"]
                print(f"| {mbit} | {title} | {real:.2f} | {plan:.2f} | {plan / real:.2f} |", flush=True)


if __name__ == "__main__":
    main()
