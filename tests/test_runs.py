"""Senseless settings are refused, and what lies on disk is what was written, or a sentence that says it is not."""

import contextlib
import dataclasses
import functools
import json
import math
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rnn.corpus import ROOT, read_corpus
from rnn.engine import training
from rnn.engine.runs import RULES, WORDS, Config, ConfigError, RunError, finished, made_from, read_run, run_directory
from rnn.engine.training import train

TEXT = read_corpus().part(0, 600)
SMALL = Config(m=5, T=10, epochs=3, snapshot_every=20)
NAN, INF = float("nan"), float("inf")

NO_COUNT = (0, -1, 2.5, 2.0, "3", None, True, np.float64(3), NAN, [3], 1j)
SENSELESS = {
    **dict.fromkeys(("T", "B"), (*NO_COUNT, 10**400)),
    "m": (*NO_COUNT, 10**6, 10**400),
    "snapshot_every": tuple(value for value in NO_COUNT if value is not None),
    "epochs": (*NO_COUNT, 0.25, 1.5, np.float64(0.75)),
    "seed": (-1, 0.0, None, "0", False, np.True_, NAN),
    "warmup": (-1, 0.0, None, "0", False, np.True_, NAN, 10**400),
    "learning_rate": (0, -0.1, NAN, INF, "0.1", None, True, 0.1j, [0.1], 10**400),
    "clip": (0, -5, NAN, "5", None, True, -INF),
    "sigma": (-0.1, NAN, INF, "0.01", True, [0.01]),
    "remainder": ("no", 0, 1, None, "False", 0.0),
    "decay": ("yes", 1, 0, None),
    "dtype": ("float16", "int32", "complex128", "f4", None, np.float32, 32, True),
    "optimizer": ("strange", "Adam", None, 0, ["adam"], True),
    "order": ("strange", "Random", "shuffle", None, 1),
    "engine": ("c", "", None, True),
}


def test_every_setting_has_a_rule_and_is_tried_with_values_that_mean_nothing():
    names = {setting.name for setting in dataclasses.fields(Config)}
    assert set(RULES) | set(WORDS) == set(SENSELESS) == names
    assert not set(RULES) & set(WORDS)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SENSELESS.items() for value in values])
def test_a_senseless_value_is_refused_with_a_sentence_that_names_the_setting(name, value):
    for refused in (lambda: Config(**{name: value}), lambda: Config().replace(**{name: value})):
        with pytest.raises(ConfigError, match=rf"^{name} must be .+, got {re.escape(repr(value))}\.$"):
            refused()


def test_numpys_numbers_are_fine_and_become_pythons(tmp_path):
    given = {
        "m": np.int64(5),
        "T": np.uint8(10),
        "B": np.array(2),
        "epochs": np.int32(1),
        "seed": np.uint64(3),
        "warmup": np.int16(9),
        "learning_rate": np.float32(0.5),
        "sigma": np.float64(0.01),
        "clip": np.int64(5),
        "snapshot_every": 20,
        "remainder": np.False_,
        "decay": np.True_,
        "dtype": np.dtype("float32"),
        "optimizer": np.str_("adam"),
    }
    config = Config(**given)
    for setting in dataclasses.fields(Config):
        value = getattr(config, setting.name)
        assert type(value) in (int, float, bool, str)
        assert value == given.get(setting.name, setting.default)
    assert json.loads(made_from(TEXT, config))["config"]["learning_rate"] == 0.5
    assert read_run(train(TEXT, config, runs=tmp_path, show=False).directory).config == config


def test_whole_numbers_are_fine_for_numbers_and_no_scale_is_fine_for_the_first_weights():
    assert Config(learning_rate=1, clip=INF, sigma=None) == Config(learning_rate=1.0, clip=INF, sigma=None)
    assert type(Config(learning_rate=1).learning_rate) is float
    assert repr(Config(sigma=0)) == repr(Config(sigma=-0.0)) == repr(Config(sigma=0.0)), "which is one run, not three"


def test_a_config_is_a_value():
    config = Config(m=7)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.m = 8
    assert pickle.loads(pickle.dumps(config)) == config == Config(m=7, snapshot_every=3)
    assert {config: 1}[Config(m=7)] == 1
    assert config.replace(m=8) == Config(m=8) != config
    with pytest.raises(TypeError):
        Config(7)


def weights(run):
    return {step: run.state(step) for step in run.snapshots}


def same(one, other):
    """Whether two runs have the same losses and snapshots, and those the same weights, memories and states."""

    def arrays(state):
        return [*state.params, *state.memory.squares, *state.memory.means, state.memory.updates, state.h]

    return (
        np.array_equal(one.losses, other.losses)
        and one.snapshots == other.snapshots
        and (one.config, one.vocabulary, one.first_step) == (other.config, other.vocabulary, other.first_step)
        and all(
            np.array_equal(a, b)
            for step in one.snapshots
            for a, b in zip(arrays(one.state(step)), arrays(other.state(step)), strict=True)
        )
    )


@pytest.mark.parametrize("epochs", [0.5, 1])
def test_a_run_of_one_epoch_or_of_half_a_one_is_read_from_a_run_of_seven(tmp_path, monkeypatch, epochs):
    for settings in ({}, {"B": 2, "remainder": True}, {"order": "random", "optimizer": "adam"}, {"order": "shuffled"}):
        config = SMALL.replace(**settings)
        long = train(TEXT, config.replace(epochs=7), runs=tmp_path / "long", show=False)
        alone = train(TEXT, config.replace(epochs=epochs), runs=tmp_path / "short", show=False)
        with monkeypatch.context() as patch:
            patch.setattr(training, "advance", None)
            short = train(TEXT, config.replace(epochs=epochs), runs=tmp_path / "long", show=False)
        assert short.directory == long.directory
        assert short.last_step == short.snapshots[-1] == math.ceil(epochs * config.steps_per_epoch(600))
        assert read_run(alone.directory).config == alone.config
        assert same(short, alone)
        assert short.is_finished


def test_a_run_of_two_epochs_that_grows_to_three_has_the_bits_of_three_at_once(tmp_path):
    at_once = train(TEXT, SMALL, runs=tmp_path / "at once", show=False)
    train(TEXT, SMALL.replace(epochs=2), runs=tmp_path / "grown", show=False)
    grown = train(TEXT, SMALL, runs=tmp_path / "grown", show=False)
    assert same(grown, at_once)
    assert len(list((tmp_path / "grown").glob("*/m*"))) == 1


def test_with_a_falling_rate_the_number_of_epochs_makes_another_run(tmp_path):
    falling = [SMALL.replace(decay=True, epochs=epochs) for epochs in (1, 2)]
    assert len({run_directory(TEXT, config, runs=tmp_path) for config in falling}) == 2
    short, long = (train(TEXT, config, runs=tmp_path, show=False) for config in falling)
    assert not np.array_equal(short.losses, long.losses[: len(short.losses)])
    assert read_run(long.directory).config == falling[1]


def test_looking_more_often_makes_no_other_run(tmp_path, monkeypatch):
    run = train(TEXT, SMALL, runs=tmp_path, show=False)
    monkeypatch.setattr(training, "advance", None)
    often = train(TEXT, SMALL.replace(snapshot_every=1), runs=tmp_path, show=False)
    assert often.directory == run.directory
    assert often.snapshots == run.snapshots
    monkeypatch.undo()
    grown = train(TEXT, SMALL.replace(snapshot_every=7, epochs=4), runs=tmp_path, show=False)
    assert set(run.snapshots) < set(grown.snapshots)
    alone = train(TEXT, SMALL.replace(epochs=4), runs=tmp_path / "alone", show=False)
    assert np.array_equal(grown.params().W, alone.params().W)


@pytest.mark.parametrize(
    ("N", "settings", "interval"),
    [
        (1_071_287, {}, 10_000),  # the training part of Moby-Dick
        (1_071_287, {"epochs": 1}, 10_000),  # the beginning of the same run
        (1_071_287, {"B": 16}, 1_000),
        (4_500, {}, 100),
        (4_500, {"snapshot_every": 3}, 3),
        (100, {}, 2),
        (100, {"epochs": 5_000}, 1_000),
        (26, {}, 1),
    ],
)
def test_snapshots_follow_the_length_of_the_text(N, settings, interval):
    assert Config(**settings).snapshot_interval(N) == interval


def test_a_short_text_shows_ten_snapshots_and_every_run_its_first_steps(tmp_path):
    run = train(read_corpus().part(0, 4_500), Config(m=5), runs=tmp_path, show=False)
    assert len([step for step in run.snapshots if step % 100 == 0]) == 13
    rarely = train(
        read_corpus().part(0, 4_500), Config(m=5, snapshot_every=9_999), runs=tmp_path / "rarely", show=False
    )
    assert rarely.snapshots[:4] == [0, 10, 90, 100]  # 90: half an epoch
    assert 1_000 in rarely.snapshots


def test_a_run_that_stopped_before_its_first_step_begins_again(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "ABSURD", 0)
    with pytest.raises(RunError, match="try a smaller rate"):
        train(TEXT, SMALL, runs=tmp_path, show=False)
    stopped = read_run(run_directory(TEXT, SMALL, runs=tmp_path))
    assert (stopped.last_step, stopped.snapshots, stopped.is_finished) == (0, [0], False)
    monkeypatch.undo()
    assert same(train(TEXT, SMALL, runs=tmp_path, show=False), train(TEXT, SMALL, runs=tmp_path / "new", show=False))


def test_the_folder_of_another_run_is_refused_under_this_ones_name(tmp_path):
    train(TEXT, SMALL, runs=tmp_path, show=False)
    theirs = train(TEXT, SMALL.replace(seed=1), runs=tmp_path, show=False).directory
    ours = run_directory(TEXT, SMALL, runs=tmp_path)
    shutil.rmtree(ours)
    theirs.rename(ours)
    for call in (finished, train):
        with pytest.raises(RunError, match=rf"{ours}/run\.json is damaged, or belongs to another run"):
            call(TEXT, SMALL, runs=tmp_path)


def test_a_step_without_a_snapshot_is_answered_with_those_there_are(tmp_path):
    run = train(TEXT, SMALL, runs=tmp_path, show=False)
    with pytest.raises(RunError, match=r"has no snapshot of step 7: it has \[0, 10, 20, 30, 40, 59,"):
        run.params(7)


class Place:
    """A run on disk, to be damaged and mended, and all that can be asked of it."""

    def __init__(self, folder):
        self.run = train(TEXT, SMALL, runs=folder, show=False)
        self.runs, self.folder = folder, self.run.directory
        others = (SMALL.replace(seed=1), SMALL.replace(T=9), SMALL.replace(m=6))
        self.others = [train(TEXT, config, runs=folder / "others", show=False).directory for config in others]
        self.files = self.snapshot_of(self.folder)
        self.expected = {name: self.answer(call) for name, call in self.calls().items()}

    @staticmethod
    def snapshot_of(folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def calls(self):
        run = self.run
        calls = {
            "read_run": lambda: self.seen(read_run(self.folder)),
            "finished": lambda: self.seen(finished(TEXT, SMALL, runs=self.runs)),
            "finished, one epoch": lambda: self.seen(finished(TEXT, SMALL.replace(epochs=1), runs=self.runs)),
            "snapshots": lambda: read_run(self.folder).snapshots,
        }
        for step in (None, *run.snapshots[:2]):
            calls[f"params {step}"] = functools.partial(lambda step: self.arrays(run.params(step)), step)
            calls[f"states {step}"] = functools.partial(lambda step: self.arrays([run.state(step).h]), step)
        calls["train"] = lambda: self.seen(train(TEXT, SMALL, runs=self.runs, show=False))  # last: it may write
        return calls

    @staticmethod
    def arrays(arrays):
        return [(array.shape, array.dtype.name, array.tobytes()) for array in arrays]

    def seen(self, run):
        return run and (run.config, run.vocabulary, run.first_step, run.snapshots, self.arrays([run.losses]))

    @staticmethod
    def answer(call):
        try:
            return call()
        except RunError as error:
            return error

    def mend(self):
        found = self.snapshot_of(self.folder)
        for name in found.keys() - self.files.keys():
            (self.folder / name).unlink()
        for name, data in self.files.items():
            if found.get(name) != data:
                (self.folder / name).write_bytes(data)

    def damage(self, chance):
        """Damage a file in a way of chance; return its path and the way."""
        name = chance.choice([name for name in self.files if name != "lock"])
        path, data = self.folder / name, bytearray(self.files[name])
        way = chance.choice(
            ["flip", "flip", "flips", "cut", "empty", "delete", "longer", "other run", "other file", "foreign"]
        )
        if way in ("flip", "flips"):
            for _ in range(1 if way == "flip" else chance.randint(2, 20)):
                data[chance.randrange(len(data))] ^= chance.randint(1, 255)
        elif way == "cut":
            del data[chance.randrange(len(data)) :]
        elif way == "empty":
            data = b""
        elif way == "longer":
            data += chance.randbytes(chance.choice([1, 8, 100]))
        elif way == "other run":
            other = chance.choice(self.others) / name
            data = other.read_bytes() if other.exists() else b""
        elif way == "other file":
            data = self.files[chance.choice(list(self.files))]
        if way == "foreign":
            foreign = chance.choice(["._100", "100 (copy)", "0100", "-1", "١٠٠", "99999", "20.part", ".DS_Store"])
            path.with_name(foreign).write_bytes(chance.choice(list(self.files.values())))
        elif way == "delete":
            path.unlink()
        else:
            path.write_bytes(data)
        return path, way


def test_of_a_thousand_damages_each_is_named_or_changes_nothing(tmp_path):
    place = Place(tmp_path)
    chance = random.Random(0)
    wrong = []
    named = 0
    for n in range(1_000):
        path, way = place.damage(chance)
        for name, call in place.calls().items():
            try:
                answer = place.answer(call)
            except BaseException as error:  # whatever comes
                wrong.append((n, path.name, way, name, repr(error)))
                continue
            if isinstance(answer, RunError):
                named += 1
                if str(path) not in str(answer):
                    wrong.append((n, path.name, way, name, "does not name the file", str(answer)))
            elif answer != place.expected[name] and not (
                name.startswith("finished") and path.name == "checkpoint" and answer is None
            ):
                wrong.append((n, path.name, way, name, "another value"))
        place.mend()
    assert not wrong, (len(wrong), wrong[:10])
    assert named > 1_000


def test_snapshots_are_read_from_many_threads_at_once(tmp_path):
    """CPython 3.11 counts the depth of `ast.literal_eval`, which `np.load` calls, for all threads together."""
    runs = [train(TEXT, SMALL.replace(seed=seed), runs=tmp_path, show=False) for seed in range(4)]
    expected = {(run.directory, step): run.params(step).W for run in runs for step in run.snapshots}
    asked = [(run, step) for run in runs for step in run.snapshots] * 8

    def as_before(run, step):
        again = finished(TEXT, run.config, runs=tmp_path)
        return np.array_equal(again.params(step).W, expected[run.directory, step])

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(as_before, *zip(*asked, strict=True)))


def a_folder(path):
    path.mkdir(parents=True)


def a_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def a_pipe(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (a_file, ""),
        (a_file, ".."),
        (a_file, "snapshots"),
        *((make, name) for make in (a_folder, a_pipe) for name in ("lock", "run.json", "losses.f64", "checkpoint")),
    ],
)
@pytest.mark.parametrize("trained", [False, True])
def test_something_else_in_a_files_place_is_told_and_not_waited_for(tmp_path, make, name, trained):
    """A file in a folder's place, a folder in a file's, and a pipe, whose end nobody writes."""
    folder = run_directory(TEXT, SMALL, runs=tmp_path)
    if trained and not name.startswith(".."):
        train(TEXT, SMALL, runs=tmp_path, show=False)
        (folder / name).unlink() if (folder / name).is_file() else shutil.rmtree(folder / name)
    path = folder.parent if name == ".." else folder / name
    make(path)
    with pytest.raises(RunError, match=re.escape(str(folder.parent))):
        train(TEXT, SMALL.replace(epochs=4), runs=tmp_path, show=False)
    with contextlib.suppress(RunError):  # what is not in the way of reading is not in the way
        read_run(folder)


def test_a_full_disk_is_told_with_the_files_name_and_the_run_goes_on_when_there_is_room(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"/run\.json cannot be used: No space left on device\."):
        train(TEXT, SMALL, runs=tmp_path, show=False)
    monkeypatch.undo()
    assert same(train(TEXT, SMALL, runs=tmp_path, show=False), train(TEXT, SMALL, runs=tmp_path / "new", show=False))


IN_IPYTHON = """
import os, signal, sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_cell('''
import os, signal
from pathlib import Path
from rnn.corpus import read_corpus
from rnn.engine.runs import Config, read_run
from rnn.engine.training import train
text, runs = read_corpus().part(0, 2_000), Path({runs!r})
interrupt = lambda *_: os.kill(os.getpid(), signal.SIGINT)
''')
print("----", flush=True)
result = shell.run_cell({cell!r})
assert result.error_in_exec is not None
"""

SENTENCES = {
    "Config(T=0)": "T must be a whole number from 1 to 10^15, got 0.",
    "read_corpus('no such text.txt')": "no such text.txt does not exist: check the path.",
    "train(text.part(0, 9), runs=runs)": "9 characters are too few: 26 are needed for T = 25 and B = 1.",
    "read_run('nowhere')": "nowhere/checkpoint is missing. Delete nowhere to train it again.",
    "train(text, Config(m=5, epochs=99), runs=runs, watch=interrupt, show=False)": "run = read_run('",
}


@pytest.mark.parametrize("cell", SENTENCES)
def test_a_notebook_shows_a_sentence_and_no_traceback(tmp_path, cell):
    program = IN_IPYTHON.format(runs=str(tmp_path), cell=cell)
    command = [sys.executable, "-c", program]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"IPYTHONDIR": str(tmp_path)}
    )
    assert run.returncode == 0, run.stderr
    shown = run.stdout.split("----\n")[1] + run.stderr
    assert SENTENCES[cell] in shown
    assert "Traceback" not in shown
    assert "Error" not in shown
    assert len(shown.strip().splitlines()) <= 2


def test_what_an_interrupted_run_says_to_call_can_be_called_as_it_is_printed(tmp_path):
    def interrupt(step, _):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(training.Interrupted) as stopped:
        train(TEXT, SMALL, runs=tmp_path, watch=interrupt, show=False)
    names = {}
    exec(str(stopped.value).splitlines()[-1], names)
    assert 0 < names["run"].last_step < SMALL.steps(600)
