import contextlib
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import psutil
import pytest
from distributed import Client
from filelock import FileLock

from rnn.corpus import ROOT, read_corpus
from rnn.engine import cluster
from rnn.engine.runs import Config, RunError, finished, read_run, run_directory
from rnn.engine.sweep import Job, sweep
from rnn.engine.training import train
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


def start(*arguments, said=subprocess.DEVNULL):
    command = [sys.executable, "-m", "dask", *arguments]
    return subprocess.Popen(command, stderr=said, stdout=subprocess.DEVNULL, text=True)


@pytest.fixture
def scheduler():
    """The address of a real scheduler on the loopback."""
    process = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", said=subprocess.PIPE)
    address = next(found[1] for line in process.stderr if (found := re.search(r"Scheduler at: *(\S+)", line)))
    yield address
    process.kill()
    process.communicate()


@pytest.fixture
def worker(scheduler):
    """A function that starts a worker process with one thread."""
    processes = []

    def start_worker(preload=FAST_CHECKPOINTS):
        arguments = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60", "--preload", preload)
        processes.append(start("worker", scheduler, *arguments))
        return processes[-1]

    yield start_worker
    for process in processes:
        process.kill()
        process.wait()


def workers_of(scheduler):
    """Return the addresses of the workers of a scheduler when it has one."""
    with Client(scheduler) as client:
        client.wait_for_workers(1)
        return list(client.nthreads())


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
    with cluster._client(None, workers) as client:
        threads = client.nthreads()
        assert list(threads.values()) == [1] * workers
        assert len({client.run(os.getpid)[worker] for worker in threads}) == workers
        with urllib.request.urlopen(client.dashboard_link) as page:
            assert page.status == 200
            assert b"Dask" in page.read()


def test_finished_runs_are_read_and_need_no_cluster(tmp_path, monkeypatch):
    runs = [train(TEXT, config, runs=tmp_path, show=False) for config in TABLE]
    monkeypatch.setattr(cluster, "_client", None)
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


def test_the_longest_run_begins_first_and_the_end_is_told(tmp_path, monkeypatch):
    """Or the last processes to be busy would wait for one that has just begun."""
    configs, told = [TABLE[0].replace(epochs=epochs, seed=epochs) for epochs in (2, 7, 1, 4, 6, 3, 5, 9, 8)], []
    monkeypatch.setattr(cluster, "LEFT", 8)

    def near_end():
        told.append([config for config in configs if finished(TEXT, config, runs=tmp_path)])

    runs = sweep(TEXT, configs, workers=1, runs=tmp_path, near_end=near_end).values()
    assert len(told) == 1
    assert configs[7] in told[0], "when one was done"
    begun = sorted(runs, key=lambda run: (run.directory / "snapshots" / "0").stat().st_mtime_ns)
    assert [run.config.epochs for run in begun] == [9, 8, 7, 6, 5, 4, 3, 2, 1]


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
    worker(f"import pathlib; from rnn.engine import cluster; cluster.RUNS = pathlib.Path({str(tmp_path / 'own')!r})")
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
    files = cluster.train_there(Job(TEXT, TABLE[0]), {}, tmp_path)
    assert not lock.is_locked
    assert set(files) >= {"losses.f64", "checkpoint"}


SWEEP = """
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
import psutil
from rnn.engine import runs
workers, runs.RUNS = int(sys.argv.pop(1)), Path(sys.argv.pop(1))
from rnn.engine import cluster
sys.path.insert(0, str(Path(runs.__file__).parents[2] / "tools"))
import train

def said(word, function, **ours):
    def call(*arguments, **settings):
        print(word, flush=True)
        return function(*arguments, **settings | ours)
    return call

cluster.LocalCluster = said("starting", cluster.LocalCluster, n_workers=workers)
cluster._as_completed = said("training", cluster._as_completed)
cluster.contextlib = SimpleNamespace(ExitStack=ExitStack, suppress=said("closing", suppress))  # said inside `_close`
try:
    train.main()
finally:
    workers = [process for process in psutil.Process().children() if "spawn_main" in " ".join(process.cmdline())]
    print(len(workers), "workers are left", flush=True)
"""


def swept(folder, workers):
    """Begin `make sweep` as a shell with a terminal does: in a session of its own."""
    (folder / "text.txt").write_text(read_corpus().part(0, 20_000).text, "utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(workers), folder / "runs", f"CORPUS={folder / 'text.txt'}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def session(process):
    """The processes of a session that are alive."""
    alive = [one for one in psutil.process_iter(["pid", "status"]) if one.info["status"] != psutil.STATUS_ZOMBIE]
    found = []
    for one in alive:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(one.pid) == process.pid:
                found.append(one)
    return found


@pytest.mark.parametrize(
    ("moments", "workers"),
    [
        (["starting"], 1),
        (["training"], 2),
        (["training", "closing", "closing"], 1),
        (["starting", "starting", "closing", "closing"], 2),
    ],
    ids=str,
)
def test_an_interrupt_at_any_moment_ends_a_sweep_with_a_sentence(tmp_path, moments, workers):
    """Ctrl-C reaches every process of the command at once; a second one, while it ends, makes nothing worse."""
    process, left = swept(tmp_path, workers), list(moments)
    try:
        for line in process.stdout:
            while left and line.strip() == left[0]:
                os.killpg(process.pid, signal.SIGINT)
                left.pop(0)
        _, said = process.communicate(timeout=VERY_LONG)
        assert not left
        assert line == "0 workers are left\n"  # in a notebook, whose process goes on
        assert said.splitlines()[-1] == "Stopped. What was trained is kept: the same call goes on from there."
        assert "Traceback" not in said
        assert process.returncode == 1
        wait_for(lambda: not session(process))
    finally:
        process.kill()


def test_what_was_trained_before_an_interrupt_is_kept(tmp_path):
    process = swept(tmp_path, 1)
    try:
        wait_for(lambda: list(tmp_path.glob("runs/*/*/checkpoint")))
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=VERY_LONG)
    finally:
        process.kill()
    for checkpoint in tmp_path.glob("runs/*/*/checkpoint"):
        run = read_run(checkpoint.parent)
        assert run.params().W.shape == (run.config.m, run.config.m)


@pytest.mark.parametrize("theirs", ["cluster.CODE = 'of another version'", "vars(cluster).pop('CODE', None)"])
def test_a_worker_with_other_code_is_refused_and_nothing_of_it_comes_home(tmp_path, scheduler, worker, theirs):
    worker(f"from rnn.engine import cluster; {theirs}; {FAST_CHECKPOINTS}")
    with pytest.raises(RunError, match=r"The worker tcp://\S+ runs another rnn than this process"):
        sweep(TEXT, TABLE, scheduler=scheduler, runs=tmp_path)
    assert not list(tmp_path.rglob("*"))


DIE = "import os; from rnn.engine import cluster; cluster.train_there = lambda *_: os._exit(1)"


def test_a_run_outlives_a_worker_that_dies_more_often_than_dask_allows(tmp_path, scheduler, worker, monkeypatch):
    monkeypatch.setattr(cluster, "GONE_SECONDS", VERY_LONG)

    def begin_again():
        for _ in range(5):  # Dask's own limit is three
            worker(DIE).wait()
        worker()

    thread = threading.Thread(target=begin_again, daemon=True)
    thread.start()
    (run,) = sweep(TEXT, TABLE[:1], scheduler=scheduler, runs=tmp_path).values()
    thread.join()
    assert run.is_finished


def test_a_run_that_kills_every_worker_is_given_up(tmp_path, scheduler, worker, monkeypatch):
    monkeypatch.setattr(cluster, "DEATHS", 1)
    monkeypatch.setattr(cluster, "GONE_SECONDS", VERY_LONG)
    ended = threading.Event()

    def begin_again():
        while not ended.is_set():
            worker(DIE).wait()

    thread = threading.Thread(target=begin_again, daemon=True)
    thread.start()
    with pytest.raises(RunError, match=r"1 of 1 runs failed\. The first: KilledWorker: "):
        sweep(TEXT, TABLE[:1], scheduler=scheduler, runs=tmp_path)
    ended.set()


@pytest.fixture
def something():
    """The address of something that answers and is no scheduler, given what it says."""
    with contextlib.ExitStack() as stack:

        def listen(says):
            class Handler(socketserver.BaseRequestHandler):
                def handle(self):
                    self.request.sendall(says)
                    self.request.recv(1_000_000)
                    threading.Event().wait()  # and nothing more

            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads, server.block_on_close = True, False
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_address[1]}"

        yield listen


@pytest.mark.parametrize(
    ("kind", "says"),
    [("tcp", b""), ("tcp", b"SSH-2.0-OpenSSH_9.2\r\n"), ("tcp", b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("tls", b"")],
)
def test_what_answers_and_is_no_scheduler_is_named_soon(tmp_path, monkeypatch, something, kind, says):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    address = f"{kind}://{something(says)}"
    with pytest.raises(RunError, match=rf"No scheduler of Dask answers at {address} \(\w+(: .+)?\)\."):
        sweep(TEXT, TABLE, scheduler=address, runs=tmp_path)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "nonsense", "tcp://no.such.host.invalid:8786", "strange://a:1"]
)
def test_an_address_where_nothing_answers_is_named_soon(tmp_path, monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(RunError, match=f"No scheduler of Dask answers at {address} "):
        sweep(TEXT, TABLE, scheduler=address, runs=tmp_path)


def test_a_workers_address_is_no_schedulers(tmp_path, scheduler, worker):
    worker()
    (address,) = workers_of(scheduler)
    with pytest.raises(RunError, match=f"No scheduler of Dask answers at {address} .*it is a Worker"):
        sweep(TEXT, TABLE, scheduler=address, runs=tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_when_there_is_no_worker_or_none_any_more_it_is_said(tmp_path, scheduler, worker, monkeypatch, workers):
    monkeypatch.setattr(cluster, "GONE_SECONDS", 1)
    if workers:
        worker(DIE)
        workers_of(scheduler)
    with pytest.raises(RunError, match=r"There is no worker: start one\. What was trained is kept"):
        sweep(TEXT, TABLE[:1], scheduler=scheduler, runs=tmp_path)
