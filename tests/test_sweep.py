import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import dask
import numpy as np
import pytest
from filelock import FileLock

from rnn import sweep as sweep_module
from rnn.corpus import ROOT, read_corpus
from rnn.runs import Config, RunError, finished, run_directory
from rnn.sweep import sweep
from rnn.training import train
from tests.test_training import VERY_LONG

TEXT = read_corpus().part(0, 2_000)
TABLE = [Config(m=12, T=10, epochs=3, snapshot_every=100, seed=seed) for seed in range(3)]
FAST_CHECKPOINTS = "from rnn import training; training.CHECKPOINT_SECONDS = 0.05"


def wait_for(condition):
    """Return when a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < VERY_LONG
        time.sleep(0.01)


def start(*arguments):
    command = [sys.executable, "-m", "dask", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.fixture
def scheduler():
    """The address of a real scheduler on the loopback."""
    process = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = next(found[1] for line in process.stderr if (found := re.search(r"Scheduler at: *(\S+)", line)))
    yield address
    process.kill()
    process.communicate()


@pytest.fixture
def worker(scheduler):
    """A function that starts a worker process with one thread."""
    processes = []

    def start_worker(preload=FAST_CHECKPOINTS):
        arguments = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--preload", preload)
        processes.append(start("worker", scheduler, *arguments))
        return processes[-1]

    yield start_worker
    for process in processes:
        process.kill()
        process.communicate()


def same(run, other):
    return np.array_equal(run.losses, other.losses) and all(
        (run.directory / "snapshots" / str(step)).read_bytes()
        == (other.directory / "snapshots" / str(step)).read_bytes()
        for step in other.snapshots
    )


def test_the_bits_do_not_depend_on_the_number_of_workers(tmp_path):
    alone = [train(TEXT, config, runs=tmp_path / "alone", show=False) for config in TABLE]
    for workers in (1, 2):
        runs = sweep(TEXT, TABLE, workers=workers, runs=tmp_path / str(workers))
        assert list(runs) == [run.config for run in runs.values()] == TABLE
        assert all(map(same, runs.values(), alone))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cluster_on_this_machine_has_so_many_processes_of_one_thread_and_a_dashboard(workers):
    with sweep_module._client(None, workers) as client:
        threads = client.nthreads()
        assert list(threads.values()) == [1] * workers
        assert len({client.run(os.getpid)[worker] for worker in threads}) == workers
        with urllib.request.urlopen(client.dashboard_link) as page:
            assert page.status == 200
            assert b"Dask" in page.read()


def test_finished_runs_are_read_and_need_no_cluster(tmp_path, monkeypatch):
    runs = [train(TEXT, config, runs=tmp_path, show=False) for config in TABLE]
    monkeypatch.setattr(sweep_module, "_client", None)
    again = sweep(TEXT, [*TABLE, TABLE[0]], runs=tmp_path)
    assert [run.directory for run in again.values()] == [run.directory for run in runs]


def test_of_runs_that_are_one_anothers_beginning_the_longest_alone_is_trained(tmp_path, capfd):
    configs = [TABLE[0].replace(epochs=epochs) for epochs in (2, 3, 1)]
    runs = sweep(TEXT, configs, workers=1, runs=tmp_path)
    assert capfd.readouterr().err.startswith("1 runs to train")
    assert [len(run.losses) for run in runs.values()] == [2 * 199, 3 * 199, 199]
    assert len({run.directory for run in runs.values()}) == 1
    for config in configs:
        assert same(runs[config], train(TEXT, config, runs=tmp_path / "alone", show=False))


def test_the_run_of_a_killed_worker_goes_on_from_its_checkpoint_on_another(tmp_path, scheduler, worker, monkeypatch):
    long = [TABLE[0].replace(epochs=400, seed=seed) for seed in range(2)]
    alone = [train(TEXT, config, runs=tmp_path / "alone", show=False) for config in long]
    victim, killed_at = worker(), None
    monkeypatch.setenv("SCHEDULER", scheduler)
    checkpoints = [run_directory(TEXT, config, runs=tmp_path / "swept") / "checkpoint" for config in long]

    def kill():
        nonlocal killed_at
        wait_for(lambda: any(path.exists() for path in checkpoints))
        worker()
        os.kill(victim.pid, signal.SIGKILL)
        killed_at = time.time_ns()

    thread = threading.Thread(target=kill)
    thread.start()
    runs = sweep(TEXT, long, runs=tmp_path / "swept").values()
    thread.join()
    assert all(map(same, runs, alone))
    begun = [run for run in runs if (run.directory / "snapshots" / "0").stat().st_mtime_ns < killed_at]
    ended = [run for run in begun if (run.directory / "checkpoint").stat().st_mtime_ns > killed_at]
    assert len(ended) == 1, "the run that was killed was gone on with, not begun again"


@pytest.mark.parametrize("theirs", ["a folder of the same name", "a name that cannot be a folder"])
def test_runs_come_home_from_workers_that_have_another_folder(tmp_path, scheduler, worker, theirs):
    worker(f"import pathlib; from rnn import sweep; sweep.RUNS = pathlib.Path({str(tmp_path / 'own')!r})")
    (tmp_path / "file").touch()
    seen = {"a folder of the same name": "elsewhere", "a name that cannot be a folder": "file/in/a/file"}[theirs]
    home = tmp_path / "home"

    class Elsewhere(type(home)):
        """Pickled as another folder: what a worker on another machine sees under the same name."""

        def __reduce__(self):
            return type(home), (str(tmp_path / seen),)

    (run,) = sweep(TEXT, TABLE[:1], scheduler=scheduler, runs=Elsewhere(home)).values()
    assert run.directory.is_relative_to(home)
    trained_in = tmp_path / ("elsewhere" if seen == "elsewhere" else "own")
    assert list(trained_in.glob("*/m*/checkpoint"))
    assert same(run, train(TEXT, TABLE[0], runs=tmp_path / "alone", show=False))


def test_a_worker_waits_for_a_run_that_another_process_trains(tmp_path):
    lock = FileLock(run_directory(TEXT, TABLE[0], runs=tmp_path) / "lock", thread_local=False)
    lock.acquire()
    threading.Timer(1.5, lock.release).start()
    files = sweep_module.train_there(TEXT, TABLE[0], tmp_path)
    assert not lock.is_locked
    assert set(files) >= {"losses.f64", "checkpoint"}


SWEEP = """
import sys
from pathlib import Path
from rnn import runs
runs.RUNS = Path(sys.argv.pop(1))
from rnn.sweep import main
main()
"""


def test_an_interrupt_says_a_sentence_and_the_same_command_goes_on(tmp_path):
    """Ctrl-C reaches every process of the command at once."""
    (tmp_path / "text.txt").write_text(read_corpus().part(0, 20_000).text, "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", SWEEP, tmp_path / "runs", f"CORPUS={tmp_path / 'text.txt'}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: list((tmp_path / "runs").glob("*/*/checkpoint")))
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=VERY_LONG)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "Stopped. What was trained is kept" in said
    assert list((tmp_path / "runs").glob("*/*/checkpoint"))


def test_a_run_that_fails_is_named_when_all_others_are_done(tmp_path):
    bad = TABLE[0].replace(learning_rate=1e38)
    with pytest.raises(RunError, match=r"1 of 4 runs failed\. The first: RunError: The loss of step"):
        sweep(TEXT, [bad, *TABLE], workers=1, runs=tmp_path)
    assert all(finished(TEXT, config, runs=tmp_path) for config in TABLE)


def test_a_scheduler_that_does_not_answer_is_named(tmp_path):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(RunError, match=r"No scheduler of Dask answers at tcp://127\.0\.0\.1:9"),
    ):
        sweep(TEXT, TABLE, scheduler="tcp://127.0.0.1:9", runs=tmp_path)
