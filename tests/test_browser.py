import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from report.show.saved import read_saved
from rnn.corpus import encode
from rnn.engine.runs import Config, RunError
from rnn.sampling import sample
from tests.conftest import ROOT

ON_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", ON_MAC))), None)
without_browser = pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="there is no Chromium here")


SHORT = 5  # times of adding ten million numbers: 50 milliseconds where nothing else runs


def seen_in_browser(report, script="browser.mjs", *more):
    assert CHROMIUM, "a test server must have Chromium"
    node = Path(sys.prefix) / "bin" / "node"
    command = [node, ROOT / "tests" / script, CHROMIUM, report.folder / "report.html", *more]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@without_browser
def test_the_page_in_a_browser(report):
    seen = seen_in_browser(report)
    assert seen["requests"] == []
    assert seen["complaints"] == []
    assert seen["violations"] == []
    assert seen["wider"] == [], "a page wider than the screen"
    assert seen["narrow"] == [], "sliders have room to move"
    assert seen["unreachable"][0] > 3
    assert seen["unreachable"][1] == 0, "a formula that is too wide in its own letters can be reached with the keyboard"
    assert max(seen["shift"]) < 0.1
    for name, changed in seen["moved"].items():
        assert changed["text"], f"moving {name} changes the text"
        assert changed["bars"], f"moving {name} moves the bars"
    assert seen["first"] == seen["back"] == seen["again"] != seen["another"]
    assert "surprised the network by" in seen["reading"]
    assert "surprised the network by" in seen["readingByKey"]
    assert seen["movedByKey"] == 2
    assert "surprised the network by" in seen["readingByTouch"]
    assert "leaned on" in seen["leaned"]
    assert max(seen["tints"][:80]) == 12, "the strongest colour is on an earlier character"
    assert max(seen["tints"][80:]) == 0, "what comes after it did not matter"
    assert "Unit 0 after" in seen["unit"][0]
    assert seen["unit"][1] > 0
    drawn, address, sent = seen["address"]
    assert "temperature=0.95" in address
    assert drawn == sent, "the address has all that decides the text"
    assert "colour=unit+7" in address
    assert seen["sentColour"] == ["unit", "7"], "and what its colours mean"
    assert seen["unitKept"] == "7", "for when the colours are a unit's again"
    assert "has never seen “U+10FFFF”" in seen["unknown"]
    assert seen["kept"] == seen["again"], "what cannot be drawn leaves the text as it is"
    first, another, again, of_network = seen["counted"]
    assert first == again != another, "a 5-gram's draw has the same seeds"
    assert len(first) == len(of_network)
    assert first != of_network
    assert seen["uncounted"]
    assert seen["networks"][0] == "the network"
    networks, colours, step, reading, address = seen["lent"]
    assert networks == ["the network", "the best network"], "each once"
    unit = re.fullmatch(r"unit (\d+): \w.*", colours[-1])[1]
    assert step != "0", "the best network is there as it ends"
    assert reading.startswith(f"Unit {unit} after")
    assert "network=the+best+network" in address
    hint, pointed, left, at_first, second, last = seen["values"]
    assert hint == left != pointed
    assert "training step" in pointed
    assert "validation" in pointed
    assert at_first != second != last
    curve = next(curve for curve in seen["curves"][0]["curves"] if "0.999" in curve["name"])
    assert f"{curve['y'][0]:.4g}".rstrip("0") in at_first, "the value is the curve's"
    closed, opened, folds, closed_again, typed, switched_off = seen["code"]
    assert closed == closed_again == typed == switched_off == 0
    assert opened == folds > 10
    assert seen["print"] == [True] * 4
    assert len(seen["from"]) > 8
    for value, chapter in seen["from"]:
        assert value
        assert chapter.startswith("chapter-0"), "a number of the abstract leads into a chapter"
    assert min(seen["took"]) < 200, "milliseconds from a slider's move to 500 characters"  # 50 where nothing else runs
    output, temperature, top_p, length, trainer = seen["faulty"]
    assert all(word in output for word in ("training step", "temperature", "number of characters", "seed"))
    assert (temperature, top_p, length) == ("1", "0.9", "500"), "what can be holds"
    assert "Press" in trainer, "and the trainer is there"
    assert seen["long"]["isReading"], "130,000 characters are read in short tasks"
    assert seen["long"]["beginning"] == "…"
    assert seen["long"]["elements"] <= 5000, "what comes before is read, and no element is made of it"
    assert seen["long"]["took"] < 12 * SHORT


@without_browser
def test_the_first_screen_in_a_browser(report):
    alive, throttled = 1500, 5000  # milliseconds; 300 and 1,000 where nothing else runs
    seen = seen_in_browser(report, "browser_first.mjs", str(alive), str(throttled))
    assert (seen["requests"], seen["complaints"]) == ([], [])
    assert seen["size"] < 3_800_000
    assert min(seen["alive"]) < alive, "from opening to the first character"
    assert min(seen["throttled"]) < throttled, "and with a processor four times slower"
    assert 4 < seen["pace"] < 9, "characters a second"
    assert seen["task"] < SHORT, "it reads in short tasks"
    assert seen["shifted"] < 0.02
    now, paused, typed, writing, again = seen["sentences"]
    assert now.endswith("It is reading now.")
    assert paused.endswith("It is paused.")
    assert typed.endswith("It is reading you now.")
    assert writing.endswith("It is writing now.")
    assert again == now
    assert "-gram" in seen["gram"]
    assert seen["isPaused"]
    assert len(set(seen["bits"].values())) > 1, "the slider reads all of it anew"
    assert seen["back"] == 2, "an arrow key looks back by one character"
    assert seen["first"] == 0, "and a key goes to the beginning"
    shown, typed = seen["typed"]
    assert shown.split() == typed.split(), "what is typed is read, a line's end as a space"
    assert "has never seen" in seen["unknown"]
    assert seen["stopsOutOfSight"]
    stands, sentence, button = seen["still"]
    assert stands, "nothing moves where nothing may"
    assert "reading now" not in sentence
    assert button == "Let it read"


@without_browser
def test_one_sequence_forward_and_back_in_a_browser(report):
    seen = seen_in_browser(report, "browser_sequence.mjs")
    assert seen["complaints"] == []
    sentence, columns, tabs = seen["mistake"]
    assert "off in W" in sentence
    assert (columns, tabs) == (1, 1), "the dropped term is marked in its column, and W alone is red"
    assert "no number shows the mistake" in seen["atZero"]
    costs, total = seen["costs"]
    mean = np.mean([float(bits) for bits in costs if re.fullmatch(r"[\d.]+", bits)])
    assert mean == pytest.approx(float(re.search(r"([\d.]+) bits", total)[1]), abs=0.06), "the columns are new too"
    assert seen["none"] == 0
    assert seen["column"][0] == seen["column"][1] - 2, "arrow keys go from column to column"
    assert seen["unit"][0] == "11", "and from unit to unit"
    assert seen["unit"][1].startswith("unit 11:"), "in words too"
    assert "∂L/∂U" in seen["which"][0]
    assert seen["which"][1] == "∂L/∂U[3, 1]", "and from number to number"
    first, smallest, total, exact = seen["centred"]
    assert first != smallest, "the slider moves delta"
    assert total[:10] == exact[:10], "the complex step agrees with the sum of the terms"
    assert seen["forward"].startswith("Character")
    (said,), shown = seen["said"]
    assert said.startswith(shown), "a screen reader says once what is shown"
    assert seen["played"] == str(seen["column"][1])
    assert seen["task"] < SHORT
    assert seen["print"] == [False, True, True, False, False]
    assert seen["asked"] == [str(seen["column"][1]), "0", "10⁻¹²", "W"], (
        "a link that asks for too much gets the nearest"
    )
    assert seen["again"] == ["H0_DROPPED", "W"], "a link works twice"
    first, pointed, kept = seen["pointed"]
    assert first != pointed == kept, "the pointer chooses a number, and a click keeps it"
    bits = [float(word) for word in re.findall(r"\d+\.\d(?=[,.])", seen["updated"])]
    assert max(bits) > bits[0] + 2, "AdaGrad's first steps make the loss worse"
    last, again = seen["last"]
    assert last.startswith("Update 39 of 39."), "until the sequences are used up"
    assert again.startswith("Update 0 of 39. Bits per character of the last sequences: 6.4."), "then it begins again"
    warm = [float(word) for word in re.findall(r"\d+\.\d(?=[,.])", seen["warm"])]
    assert max(warm) < warm[0] + 0.2, "with warm-up nothing of the kind happens"


@without_browser
def test_the_page_of_a_hostile_text_in_a_browser(hostile_report):
    seen = seen_in_browser(hostile_report, "browser_hostile.mjs")
    assert (seen["requests"], seen["complaints"]) == ([], [])
    assert seen["title"] != "hacked"
    assert not seen["isWider"], "the page is wider than a phone"
    *texts, field = seen["strange"]
    for direction, text, elements in texts:
        assert (direction, field) == ("rtl", "rtl")
        assert text.startswith("مرحبا 👩‍🚀")
        assert elements[:7] == [*"مرحبا ", "👩‍🚀"], "one element for what belongs together"
    first, later = seen["losses"]
    assert first == pytest.approx(seen["curve"][0][1], abs=0.01), "the first loss is the report's"
    assert later < 0.9 * first, "the loss falls"


@without_browser
def test_the_trainer_in_a_browser(report, tmp_path):
    seen = seen_in_browser(report, "browser_trainer.mjs", tmp_path / "saved")
    assert seen["requests"] == []
    assert seen["complaints"] == []
    assert "same first weights" in seen["invitation"]
    steps, losses = np.array(seen["curve"]).T
    assert float(seen["first"]) == pytest.approx(losses[0], abs=0.01), "the first loss is the report's"
    assert seen["step"] >= 2000
    assert seen["loss"] < 0.9 * losses[0], "the loss falls"
    for step, loss in seen["told"]:
        along = np.interp(step, steps, losses)
        assert loss == pytest.approx(along, rel=0.3), "along the report's curve"  # rounding makes another run
    assert seen["heldOut"] < seen["heldOutAtFirst"]
    assert seen["first"] == seen["firstAgain"] == seen["restored"], "the same weights again"
    assert seen["rate"] > 0
    assert seen["task"] < SHORT, "the page answers while a worker trains"
    assert len(seen["text"]) >= 300
    assert seen["colours"] > 5
    assert seen["lines"] == 2  # the curve, and its entry in the legend
    assert seen["own"] < 1
    assert "the whale" in seen["ownText"]
    for sentence, words in zip(
        seen["refused"],
        ("got 0", "got 2.5", "got -1", "got 0", "The seed", "9 characters", "single distinct", "T = 1000"),
        strict=True,
    ):
        assert words in sentence
    assert seen["hidden"][0] == "Train"
    assert "the page was hidden" in seen["hidden"][1]
    assert seen["usualRate"] == "0.001"
    assert seen["large"][0].startswith("The loss is more than 1.5 times that of a uniform guess.")
    assert seen["large"][1:] == [""], "and no longer than it is"
    assert "training has diverged" in seen["diverged"]
    assert seen["heldOutDiverged"] > 10 * seen["heldOutAtFirst"], "the network that diverged is measured too"
    assert all("no WebAssembly" in sentence and disabled for sentence, disabled, _ in seen["without"])
    assert [can_count for *_, can_count in seen["without"]] == [True, False], "without workers nothing counts"
    for sentence, step, is_lost in seen["impossible"]:
        assert "must be a" in sentence
        assert (step, is_lost) == (0, False), "a file that cannot be opened leaves the network that is there"
    assert seen["lost"] == ["–", "–", "", True], "nothing is left of a run whose text is gone"
    if seen["view"]:
        assert seen["view"][0] == "your network, step 1"
        assert f"Loss: {losses[0]:.1f} nats" in seen["view"][1], "the view shows the step that was taken"
    assert seen["openedAt"] == seen["savedAt"] >= 300
    assert seen["openedText"] == seen["savedText"]
    assert seen["savedAs"] == f"network-{seen['savedAt']}.safetensors.gz"
    assert seen["sampled"][0] == seen["sampled"][2] != seen["sampled"][1]
    assert int(re.match(r"[\d,]+", seen["sampledAt"])[0].replace(",", "")) == seen["savedAt"]
    saved = read_saved(tmp_path / "saved")
    assert (saved.config, saved.state.step) == (Config(), seen["savedAt"])
    x = encode(seen["savedText"][:1], saved.vocabulary)[0]
    drawn = sample(saved.state.params, saved.state.h[0], x, 10, np.random.default_rng(0))
    assert len(drawn) == 10
    damaged = bytearray((tmp_path / "saved").read_bytes())
    damaged[2_000] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(RunError, match="is damaged"):
        read_saved(tmp_path / "damaged")
