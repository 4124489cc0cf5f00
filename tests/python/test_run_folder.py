"""Tests one job a run folder, signals of a closed terminal, launchers of another MPI, and failed writes."""

import fcntl
import os
import pty
import resource
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from command import ENVIRONMENT, MPIEXEC, PROGRAM, graticule, write_recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    graticule("train", write_recipe(folder, steps=2), check=True)
    return folder / "run"


def start(recipe, ranks=1, **options):
    command = [str(PROGRAM), "train", str(recipe)]
    if ranks > 1:
        command = [str(MPIEXEC), "-n", str(ranks), *command]
    return subprocess.Popen(command, env=ENVIRONMENT, **{"stdout": subprocess.DEVNULL, **options})


def wait_for_a_step(run):
    for _ in range(300):
        if (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text().count("\n") > 1:
            return
        time.sleep(0.1)
    raise AssertionError("training did not start")


def checkpoints_of(run):
    return [path.name for path in (run / "checkpoints").glob("*")]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_second_job_is_refused(ranks, tmp_path):
    recipe, run = write_recipe(tmp_path, steps=100000), tmp_path / "run"
    first = start(recipe, ranks)
    try:
        wait_for_a_step(run)
        for more in ((), ("--resume", "auto")):
            second = graticule("train", recipe, *more, ranks=ranks)
            assert second.returncode == 2 and second.stderr.count("graticule: [run]") == 1, second.stderr
            assert f"on {socket.gethostname()} trains there" in second.stderr
            if ranks == 1:
                assert f"process {first.pid} on" in second.stderr
        # Reading is allowed meanwhile, and the first job continues.
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    time.sleep(1)
    # The kernel has released the lock of a killed job.
    assert graticule("train", recipe, "--resume", "auto", "--set", "train.steps=1", ranks=ranks).returncode == 0


def own_terminal():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_closed_terminal_gives_a_checkpoint(tmp_path):
    recipe, run = write_recipe(tmp_path, steps=100000), tmp_path / "run"
    master, slave = pty.openpty()
    process = start(
        recipe,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(slave)
    wait_for_a_step(run)
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert len(checkpoints_of(run)) == 1 and "stopped by a signal" in (run / "log.txt").read_text()


def test_the_progress_line_fits_the_terminal(tmp_path):
    """A row of the terminal is rewritten, so a line that wraps would leave its beginning behind."""
    master, slave = pty.openpty()
    for columns, parts in ((44, ["left"]), (200, ["left", "s/step", "tokens/s", "grad"])):
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        folder = tmp_path / str(columns)
        folder.mkdir()
        process = start(write_recipe(folder, steps=5), stdout=slave)
        assert process.wait(timeout=60) == 0
        shown = os.read(master, 100_000).decode()
        lines = [line.split("\x1b[K")[1].strip() for line in shown.split("\r") if "\x1b[Kstep" in line]
        assert len(lines) == 5 and all(len(line) < columns for line in lines), lines
        for part in ("left", "s/step", "tokens/s", "grad"):
            assert (part in lines[-1]) == (part in parts), lines
    os.close(master), os.close(slave)


def test_a_reader_that_is_gone_ends_nothing(tmp_path):
    recipe, run = write_recipe(tmp_path, steps=200), tmp_path / "run"
    process = start(recipe, stdout=subprocess.PIPE)
    wait_for_a_step(run)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert checkpoints_of(run) == ["step-200"]


def test_nohup_is_respected(tmp_path):
    recipe, run = write_recipe(tmp_path, steps=100000), tmp_path / "run"
    process = start(recipe, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for_a_step(run)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None and not checkpoints_of(run)
    process.terminate()
    assert process.wait(timeout=60) == 0 and len(checkpoints_of(run)) == 1


LAUNCHERS = {
    "Open MPI": (
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1"},
        "Open MPI's mpirun started 2 processes",
    ),
    "PMI": ({"PMI_SIZE": "4", "PMI_RANK": "0"}, "started 4 processes (PMI_SIZE)"),
    "srun": ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, "srun started 8 processes"),
    "a rank of srun": ({"SLURM_PROCID": "3"}, "srun started this process as its rank 3"),
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_another_launcher_is_named(name, trained, tmp_path):
    variables, words = LAUNCHERS[name]
    recipe = write_recipe(tmp_path)
    for command in (("train", recipe), ("export", trained, tmp_path / "w.safetensors")):
        environment = {**ENVIRONMENT, **variables}
        result = subprocess.run(
            [PROGRAM, *map(str, command)], capture_output=True, text=True, env=environment, timeout=60
        )
        assert result.returncode == 2 and words in result.stderr and "start it once" in result.stderr, result.stderr
    assert not (tmp_path / "run").exists() and not (tmp_path / "w.safetensors").exists()


def test_a_batch_script_may_start_it_once(trained):
    environment = {**ENVIRONMENT, "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    command = [PROGRAM, "eval", trained, "--samples", "2"]
    assert subprocess.run(command, capture_output=True, env=environment, timeout=60).returncode == 0


TIMES = ("--init", "2001-02-10")


@pytest.mark.parametrize("ranks", [1, 2])
def test_outputs_that_cannot_be_written_are_refused_first(ranks, trained, tmp_path):
    before = sorted(trained.rglob("*"))
    (tmp_path / "file").write_text("in the way")
    for arguments, name in (
        (("eval", trained, "--out", "/proc/no/scores.json"), "--out"),
        (("eval", trained, "--out", tmp_path / "file" / "scores.json"), "--out"),
        (("eval", trained, "--out", tmp_path), "--out"),
        (("forecast", trained, *TIMES, "--out", "/proc/forecast.nc"), "--out"),
        (("forecast", trained, *TIMES, "--out", tmp_path / "f.nc", "--truth", "/proc/t.nc"), "--truth"),
        (("forecast", trained, *TIMES, "--out", tmp_path / "f.nc", "--truth", tmp_path / "f.nc"), "--truth"),
    ):
        result = graticule(*arguments, ranks=ranks)
        assert result.returncode == 2 and result.stderr.count("graticule: [") == 1, result.stderr
        assert name in result.stderr and "choose another" in result.stderr and not result.stdout
    for out in ("/proc/no/w.safetensors", tmp_path, tmp_path / "file" / "w.safetensors"):
        result = graticule("export", trained, out)
        assert result.returncode == 2 and "[export] OUT" in result.stderr and "choose another" in result.stderr
    assert sorted(trained.rglob("*")) == before and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_of_outputs_are_made(trained, tmp_path):
    graticule("eval", trained, "--samples", 2, "--out", tmp_path / "new" / "scores.json", check=True)
    graticule("export", trained, tmp_path / "newer" / "w.safetensors", check=True)
    assert (tmp_path / "new" / "scores.json").exists() and (tmp_path / "newer" / "w.safetensors").exists()


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))


def test_a_disk_that_fills_up_takes_no_scores_and_leaves_no_part(trained, tmp_path):
    scored = graticule("eval", trained, "--samples", 2, "--out", tmp_path / "s.json", preexec_fn=limit_files)
    assert scored.returncode == 1 and "RMSE over 2 initial times" in scored.stdout, scored.stderr
    exported = graticule("export", trained, tmp_path / "w.safetensors", preexec_fn=limit_files)
    assert exported.returncode == 1
    for result in (scored, exported):
        assert "File too large" in result.stderr and "choose another place" in result.stderr
    assert not list(tmp_path.iterdir())
