"""Tests `plan --calibrate` on this machine, and that `bench step --cluster` prints the predicted time."""

import json
import tomllib

from command import graticule, write_recipe


def test_two_ranks_measure_the_machine(tmp_path):
    file = tmp_path / "deep" / "here.toml"
    measured = graticule("plan", "--calibrate", "--write", file, ranks=2)
    assert measured.returncode == 0, measured.stderr
    cluster = tomllib.loads(file.read_text())
    assert cluster["devices_per_node"] == 2 and cluster["nodes"] == 1
    for precision in ("fp32", "bf16"):
        widths = [width for width, _ in cluster["device"][precision]["linear_by_width"]]
        assert widths == sorted(widths) and len(widths) >= 4
    assert len(cluster["within_node"]["by_message"]) >= 3

    timed = graticule("bench", "step", "--recipe", write_recipe(tmp_path), "--cluster", file, "--json", ranks=2)
    assert timed.returncode == 0, timed.stderr
    result = json.loads(timed.stdout)
    # Only the form of the prediction is tested here; bench/plan_accuracy.py measures its accuracy.
    assert result["predicted_s"] > 0
    assert abs(sum(result["predicted_parts_s"].values()) - result["predicted_s"]) < 1e-9


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    result = graticule("plan", "--calibrate", "--write", tmp_path / "file" / "here.toml")
    assert result.returncode == 1 and "cannot be written" in result.stderr


def test_an_unknown_cluster_is_refused(tmp_path):
    result = graticule("bench", "step", "--recipe", write_recipe(tmp_path), "--cluster", "frontir")
    assert result.returncode == 2 and "frontier" in result.stderr
