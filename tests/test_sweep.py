import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from rnn import model
from rnn.corpus import ROOT, read_corpus
from rnn.engine import sweep as sweeping
from rnn.engine.runs import Config, RunError, run_directory
from rnn.engine.sweep import Job, cores, sweep, sweep_all
from rnn.engine.training import train
from tests.test_training import VERY_LONG

TEXT = read_corpus().part(0, 2_000)
SMALL = Config(m=12, T=10, epochs=3, snapshot_every=100)
LONG = SMALL.replace(epochs=100_000)


def wait_for(condition):
    """Return when a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < VERY_LONG
        time.sleep(0.01)


def same(run, other):
    return np.array_equal(run.losses, other.losses) and all(
        (run.directory / "snapshots" / str(step)).read_bytes()
        == (other.directory / "snapshots" / str(step)).read_bytes()
        for step in other.snapshots
    )


def workers_of(process=None):
    """The worker processes of a process, this one for None."""
    found = []
    for child in psutil.Process(process and process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_number_of_workers_changes_no_bit(tmp_path):
    configs = [SMALL.replace(seed=seed) for seed in range(3)]
    alone = [train(TEXT, config, runs=tmp_path / "alone", show=False) for config in configs]
    for workers in (1, 2):
        runs = sweep(TEXT, configs, workers=workers, runs=tmp_path / str(workers))
        assert list(runs) == [run.config for run in runs.values()] == configs
        assert all(map(same, runs.values(), alone))


def test_the_longest_run_is_first_and_what_goes_on_from_another_waits_for_it(tmp_path):
    """What it goes on from is trained too; of runs that are one another's beginning only the longest is."""
    lengths = [SMALL.replace(epochs=epochs, seed=epochs) for epochs in (2, 5, 4)]
    beginning = SMALL.replace(epochs=1)
    longer = SMALL.replace(epochs=3)
    after = SMALL.replace(epochs=9)  # the longest, and not the first
    jobs = [*(Job(TEXT, config) for config in [*lengths, beginning]), Job(TEXT, after, longer)]
    sweep_all(jobs, workers=1, runs=tmp_path)
    began = {job.config: job.finished(tmp_path).directory / "snapshots" / "10" for job in jobs[:3]}
    began = {config: path.stat().st_mtime_ns for config, path in began.items()}
    assert sorted(lengths, key=began.get) == sorted(lengths, key=lambda config: -config.epochs)
    first = Job(TEXT, longer).finished(tmp_path)
    second = jobs[-1].finished(tmp_path)
    assert second.first_step == first.last_step
    assert jobs[3].finished(tmp_path).directory == first.directory
    assert len(list(tmp_path.glob("*/m*"))) == 5
    assert [path.name for path in tmp_path.iterdir()] == [TEXT.id], "nothing is left that a killed sweep would leave"


def test_finished_runs_are_read_and_need_no_workers(tmp_path, monkeypatch):
    run = train(TEXT, SMALL, runs=tmp_path, show=False)
    monkeypatch.setattr(sweeping, "_Processes", None)
    again = sweep(TEXT, [SMALL, SMALL], runs=tmp_path)
    assert [run.directory for run in again.values()] == [run.directory]


def stop_after(steps):
    """A watcher that interrupts the run after some steps, so that it leaves a checkpoint."""
    return lambda step, _: step > steps and os.kill(os.getpid(), signal.SIGINT)


def listening(process):
    """The ports on which a process listens."""
    connections = process.net_connections if hasattr(process, "net_connections") else process.connections
    return [found for found in connections("inet") if found.status == psutil.CONN_LISTEN]


def test_the_run_of_a_killed_worker_goes_on_from_its_checkpoint_and_nothing_listens(tmp_path, capfd):
    config = SMALL.replace(epochs=600)
    with pytest.raises(KeyboardInterrupt):
        train(TEXT, config, runs=tmp_path / "swept", watch=stop_after(1_000), show=False)
    folder = run_directory(TEXT, config, runs=tmp_path / "swept")
    begun_at = (folder / "snapshots" / "0").stat().st_mtime_ns
    killed_at = []
    ports = []

    def kill():
        wait_for(lambda: (folder / "snapshots" / "10000").exists())
        (worker,) = workers_of()
        ports.extend(listening(psutil.Process()) + listening(worker))
        worker.kill()
        killed_at.append(time.time_ns())

    thread = threading.Thread(target=kill)
    thread.start()
    (run,) = sweep(TEXT, [config], workers=1, runs=tmp_path / "swept").values()
    thread.join()
    assert same(run, train(TEXT, config, runs=tmp_path / "alone", show=False))
    assert (run.directory / "snapshots" / "0").stat().st_mtime_ns == begun_at
    assert killed_at[0] < (run.directory / "checkpoint").stat().st_mtime_ns
    assert not ports
    out, err = capfd.readouterr()
    assert not out
    assert re.search(r"0 of 1 runs +\d+%.*\d\d:\d\d left", err)
    assert "Warning" not in err


def test_workers_that_are_killed_again_and_again_end_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "DEATHS", 2)
    ended = threading.Event()

    def kill():
        while not ended.wait(0.05):
            for worker in workers_of():
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(RunError, match=r"was killed 2 times while m12-T10-rate0.1-\w+ trained"):
            sweep(TEXT, [LONG], workers=1, runs=tmp_path)
    finally:
        ended.set()
        thread.join()


def test_a_run_that_fails_and_what_goes_on_from_it_are_told_when_the_rest_is_trained(tmp_path):
    wild = SMALL.replace(learning_rate=1e38)
    jobs = [Job(TEXT, wild), Job(TEXT, SMALL, wild), Job(TEXT, SMALL)]
    with pytest.raises(RunError, match=r"2 of 3 runs failed\. The first: The loss of step"):
        sweep_all(jobs, workers=1, runs=tmp_path)
    assert jobs[2].finished(tmp_path)


def test_what_cannot_be_swept_is_told_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"file/.* cannot be used: Not a directory"):
        sweep(TEXT, [SMALL], runs=tmp_path / "file")
    monkeypatch.setitem(model.OPTIMIZERS, "mine", lambda *_: None)
    with pytest.raises(RunError, match="do not have your optimiser 'mine'"):
        sweep(TEXT, [SMALL.replace(optimizer="mine", engine="numpy")], runs=tmp_path)


def test_a_worker_with_other_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "CODE", "of another version")
    with pytest.raises(RunError, match="A worker has different code in rnn/ than this process"):
        sweep(TEXT, [SMALL], workers=1, runs=tmp_path)
    assert not list(tmp_path.glob("*/m*"))


SWEEP = """
import functools
import sys
from pathlib import Path
from rnn.corpus import read_corpus
from rnn.engine.runs import Config
from rnn.engine.sweep import Job, sweep_all
from tools import train
text = read_corpus().part(0, 2_000)
jobs = [Job(text, Config(m=12, T=10, epochs=100_000, seed=seed)) for seed in range(3)]
train.needed = lambda corpus, budget: {"03": jobs}
train.sweep_all = functools.partial(sweep_all, workers=2, runs=Path(sys.argv.pop()))
print("begin", flush=True)
train.main()
"""


@pytest.fixture
def swept(tmp_path):
    """A long sweep in a process as a shell with a terminal begins it: in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SWEEP, tmp_path / "runs"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "begin\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("moment", ["at once", "while workers start", "while they train"])
def test_an_interrupt_ends_a_sweep_within_seconds_with_a_sentence(tmp_path, swept, moment):
    """Ctrl-C reaches every process of the command at once; a second one makes nothing worse."""
    if moment == "at once":
        wait_for(lambda: list(tmp_path.glob("runs/*/codes.npy")))
    if moment == "while workers start":
        wait_for(lambda: workers_of(swept))
    if moment == "while they train":
        wait_for(lambda: list(tmp_path.glob("runs/*/*/snapshots/1000")))
    workers = workers_of(swept)
    began = time.monotonic()
    os.killpg(swept.pid, signal.SIGINT)
    time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(swept.pid, signal.SIGINT)
    _, err = swept.communicate(timeout=VERY_LONG)
    assert time.monotonic() - began < 20, "on a busy machine; it is less than one second on a quiet one"
    assert err.splitlines()[-1].endswith("Stopped. What was trained is kept: the same call continues from there.")
    assert "Traceback" not in err
    assert swept.returncode == 1
    wait_for(lambda: not any(map(is_alive, workers)))


def test_workers_end_when_the_process_that_began_them_is_killed(tmp_path, swept):
    wait_for(lambda: list(tmp_path.glob("runs/*/*/snapshots/1000")))
    workers = workers_of(swept)
    swept.kill()
    assert workers
    wait_for(lambda: not any(map(is_alive, workers)))


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000"}, 1),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 64),
        ("0::/\n", {}, 64),
        (None, {}, 64),
    ],
)
def test_a_container_has_the_cores_that_it_is_given(tmp_path, monkeypatch, groups, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    if groups:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, data in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data)
    assert cores(tmp_path) == expected


def dask(*arguments, **settings):
    return subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=ROOT, text=True, **settings)


def test_a_cluster_trains_the_same_runs_and_says_when_it_has_no_worker(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweeping, "GONE_SECONDS", 0.5)
    processes = [dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", stderr=subprocess.PIPE)]
    try:
        found = (re.search(r"Scheduler at: *(\S+)", line) for line in processes[0].stderr)
        address = next(match[1] for match in found if match)
        with pytest.raises(RunError, match=r"There is no worker: start one\."):
            sweep(TEXT, [SMALL], scheduler=address, runs=tmp_path / "none")
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")
        processes.append(dask("worker", address, *options, stderr=subprocess.DEVNULL))
        monkeypatch.setattr(sweeping, "GONE_SECONDS", VERY_LONG)
        monkeypatch.setenv("SCHEDULER", address)
        configs = [SMALL, SMALL.replace(seed=1)]
        runs = sweep(TEXT, configs, runs=tmp_path / "swept")
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    for config in configs:
        assert same(runs[config], train(TEXT, config, runs=tmp_path / "alone", show=False))


@pytest.fixture
def something():
    """The address of a server that is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "strange://a:1", None])
def test_an_address_without_a_scheduler_is_named_soon(tmp_path, monkeypatch, something, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweeping, "CONNECT_SECONDS", 1)
    address = address or something
    with pytest.raises(RunError, match=f"No Dask scheduler answers at {address} "):
        sweep(TEXT, [SMALL], scheduler=address, runs=tmp_path)
