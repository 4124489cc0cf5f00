"""Compares real training steps on four hosts with simulated ones. The hosts are network namespaces of this machine. A
bridge with limited links joins them, and the ranks talk over TCP. It needs root, iproute2 and the built program:

    .venv/bin/python bench/hosts.py [--rates 50,200,1000] [--repeats 3]

It prints a table: Mbit/s, layout, real and simulated seconds of a step, their ratio. It measures the cluster file for
the simulation: the time of products and attention while all four ranks compute, and the rate of a TCP stream from
each host to the next while the other direction is busy too.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from network import PROGRAM, goodput, network, prepare, shape, step

HOSTS = range(1, 5)

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
[across_nodes]
interfaces_per_node = 1
bandwidth_gb_s = {bandwidth}
latency_us = {latency}
[topology]
kind = "flat"
"""


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
    real = step(HOSTS, folder, layout, repeats)
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
    with tempfile.TemporaryDirectory() as name, network(HOSTS):
        folder = Path(name)
        prepare(folder, RECIPE.format(out=folder / "run"))
        rates = measured_rates(folder, arguments.repeats)
        print({key: round(value, 4) for key, value in rates.items()}, flush=True)
        print("| Mbit/s | layout | real, s | simulated, s | simulated over real |\n|---|---|---|---|---|", flush=True)
        for mbit in map(int, arguments.rates.split(",")):
            shape(HOSTS, mbit)
            bandwidth = goodput(HOSTS, mbit)
            print(f"a stream gets {bandwidth * 8000:.0f} of {mbit} Mbit/s", flush=True)
            for title, layout in LAYOUTS.items():
                real = step(HOSTS, folder, layout, arguments.repeats)["step_s"]
                links = {"bandwidth": bandwidth, "latency": arguments.latency}
                plan = simulated(folder, layout, **rates, **links)["step_s"]
                print(f"| {mbit} | {title} | {real:.2f} | {plan:.2f} | {plan / real:.2f} |", flush=True)


if __name__ == "__main__":
    main()
