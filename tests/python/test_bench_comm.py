"""`graticule bench comm`: every operation is verified and timed beside the same MPI call."""

import json

from command import graticule


def test_operations_are_timed_beside_mpi():
    done = graticule("bench", "comm", "--sizes", "1000,64KiB", "--repeats", 1, "--json", ranks=3, check=True)
    result = json.loads(done.stdout)
    assert result["ranks"] == 3
    names = [entry["operation"] for entry in result["operations"]]
    assert names.count("reduce_scatter") == 2 and names.count("barrier") == 1 and len(names) == 15
    assert all(entry["s"] > 0 and entry["mpi_s"] > 0 and entry["ratio"] > 0 for entry in result["operations"])
    assert all(entry["bytes"] >= 1000 for entry in result["operations"] if entry["operation"] != "barrier")


def test_mpi_sums_no_bf16():
    done = graticule("bench", "comm", "--sizes", 4096, "--dtype", "bf16", "--repeats", 1, "--json", ranks=2, check=True)
    without = {entry["operation"] for entry in json.loads(done.stdout)["operations"] if entry["mpi_s"] is None}
    assert without == {"reduce_scatter", "all_reduce"}


def test_one_rank_and_wrong_arguments_are_refused():
    alone = graticule("bench", "comm")
    assert alone.returncode == 2 and "one rank sends nothing: start with mpiexec" in alone.stderr
    wrong = graticule("bench", "comm", "--dtype", "int8", ranks=2)
    assert wrong.returncode != 0 and wrong.stderr.count('dtype "int8": choose bf16, fp16, fp32 or fp64') == 1
