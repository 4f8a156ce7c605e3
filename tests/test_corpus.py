import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from report.show import describe
from rnn import corpus
from rnn.corpus import ROOT, CorpusError, decode, encode, read_corpus
from tools.text import join_lines

LONG = "All work and no play makes Jack a dull boy. "


def written(folder, data, name="text.txt"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_the_default_text_is_the_one_that_was_measured():
    moby_dick = read_corpus()
    assert (len(moby_dick.codes), moby_dick.K, moby_dick.is_moby_dick) == (1_190_317, 83, True)
    assert moby_dick.text[:20] == "CHAPTER 1. Loomings."
    assert moby_dick.codes.dtype == np.uint8


BAD = {
    "NULs": (b"text\0" * 100, "has NUL characters, like a text in UTF-16 or a binary file: save it as UTF-8"),
    "UTF-16 without a mark": ((LONG * 9).encode("utf-16-le"), "has NUL characters, like a text in UTF-16"),
    "UTF-16 with a mark": ((LONG * 9).encode("utf-16"), "not UTF-8: byte 0 "),
    "a half of a surrogate pair": (LONG.encode() + b"\xed\xa0\x80", f"not UTF-8: byte {len(LONG)} "),
    "empty": (b"", "is empty"),
    "too short": (b"abcdefghijklmnopqrstuvwxy", "has 25 characters, but one sequence and its target need 26"),
    "one distinct character": (b"a" * 100, "a single distinct character, 'a'"),
    "not UTF-8": ((LONG + "é").encode("latin-1"), f"not UTF-8: byte {len(LONG)} "),
    "not UTF-8 after a BOM and CRLF": (b"\xef\xbb\xbfab\r\n" + LONG.encode() + b"\xff", f"byte {7 + len(LONG)} "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_text_gets_one_clear_sentence(tmp_path, case):
    data, sentence = BAD[case]
    path = written(tmp_path, data)
    with pytest.raises(CorpusError, match=sentence):
        read_corpus(path)
    assert path.read_bytes() == data
    run = subprocess.run([sys.executable, "-m", "tools.text", path], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 1
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_missing_file_and_a_folder_get_one_clear_sentence(tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        read_corpus(tmp_path / "none.txt")
    with pytest.raises(CorpusError, match="is a folder"):
        read_corpus(tmp_path)


def test_a_device_and_a_pipe_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", "/dev/stdin", "/dev/null", tmp_path / "pipe"):
        with pytest.raises(CorpusError, match=rf"{path} is a device or a pipe: name a text file"):
            read_corpus(path)


@pytest.mark.parametrize("path", ["~no-such-user/x", "a\0b", "x" * 300 + ".txt", "README.md/x", "/proc/1/mem/x"])
def test_what_cannot_be_a_path_gets_one_clear_sentence(path):
    with pytest.raises(CorpusError, match=r"cannot be a text's path: .+\.$") as refusal:
        read_corpus(path)
    assert "\0" not in str(refusal.value)


def test_a_name_may_have_251_characters_and_any_bytes(tmp_path, capfd):
    for name in ("x" * 251 + ".txt", "a b;c$(d)'\"<i>.txt", "...txt", "世界.txt", os.fsdecode(b"\xff\xfe.txt")):
        text = read_corpus(written(tmp_path, LONG, name))
        assert len(text.codes) == len(LONG)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text.id)
        assert text.id not in (".", "..")
        describe(text).encode()


def test_a_file_that_cannot_be_read_gets_one_clear_sentence(tmp_path, monkeypatch):
    path = written(tmp_path, LONG)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(CorpusError, match=rf"{path} cannot be read: Permission denied\."):
        read_corpus(path)


def test_a_default_text_with_another_hash_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "MOBY_DICK", written(tmp_path, LONG))
    with pytest.raises(CorpusError, match=r"not the expected text: its SHA-256 is [0-9a-f]{64}, expected 64b0151d"):
        read_corpus()


def test_a_byte_order_mark_is_dropped_and_crlf_becomes_lf_and_both_are_said(tmp_path):
    text = read_corpus(written(tmp_path, b"\xef\xbb\xbf" + b"one line\r\n" * 9))
    assert text.text == "one line\n" * 9
    assert "byte-order mark" in describe(text)
    assert "Windows (CRLF)" in describe(text)


@pytest.mark.parametrize(
    "sample",
    ["Все счастливые семьи похожи друг на друга", "🐳👩‍🚀🏳️‍🌈 и 文", "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))],
    ids=["Cyrillic", "emoji", "Chinese"],
)
def test_any_script_goes_in_and_comes_out(tmp_path, sample):
    text = read_corpus(written(tmp_path, sample * 3))
    assert text.text == sample * 3
    assert len(set(sample)) == text.K


def test_the_vocabulary_is_sorted_and_codes_are_its_places():
    assert read_corpus().vocabulary == "".join(sorted(read_corpus().vocabulary))
    assert encode("cab", "abc").tolist() == [2, 0, 1]
    assert decode(np.array([2, 0, 1]), "abc") == "cab"


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match="has never seen '☃'"):
        encode("a☃", "abc")


def test_different_texts_of_one_name_have_different_folders(tmp_path):
    (tmp_path / "other").mkdir()
    first = written(tmp_path, LONG)
    second = written(tmp_path / "other", LONG + "!")
    assert read_corpus(first).id != read_corpus(second).id
    assert read_corpus().part(0, 100).id != read_corpus().id


def test_line_ends_of_old_macs_become_plain_ones(tmp_path):
    text = read_corpus(written(tmp_path, "one line\rand another\r\nand a third\r\r"))
    assert text.text == "one line\nand another\nand a third\n\n"
    assert text.notes == ("Windows (CRLF) or old Mac (CR) line ends were changed to LF.",)


def test_a_large_text_is_said_to_take_hours_and_how_to_take_a_part(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "LARGE", 100)
    assert "more than 100 characters takes hours. Take a part of it: `head -n" in describe(read_corpus())
    assert read_corpus(written(tmp_path, LONG * 2)).notes == ()


def test_an_accented_letter_is_taken_as_the_text_has_it():
    composed, decomposed = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    assert decode(encode(f"caf{composed}", "acef" + decomposed[1]), "acef" + decomposed[1]) == f"caf{decomposed}"
    assert decode(encode(f"caf{decomposed}", "acf" + composed), "acf" + composed) == f"caf{composed}"
    with pytest.raises(ValueError, match=f"has never seen '{composed}'"):
        encode(composed, "abc")


def test_the_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path, LONG)
    assert read_corpus("~/text.txt").text == LONG


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        (
            "One\ntwo.\n\nThree—\n\n    verse\n    verse\n\n\nfour\nfive\n",
            "One two.\n\nThree—\n\n    verse\n    verse\n\n\nfour five\n",
        ),
        ("春天来了花开\n满山遍野都是\nand English", "春天来了花开满山遍野都是 and English"),
        ("봄이\n왔다", "봄이 왔다"),
        (
            "a line\nmore\n   \nnew paragraph\n\u3000\nafter an ideographic space",
            "a line more\n\nnew paragraph\n\nafter an ideographic space",
        ),
    ],
    ids=["verse", "Chinese", "Korean", "lines of spaces"],
)
def test_joined_lines_make_a_paragraph_one_line(text, joined):
    assert join_lines(text) == joined


def test_make_data_says_only_what_was_checked(tmp_path):
    """Also where the target is a relative path."""
    copy = tmp_path / "project"
    for name in ("tools/text.py", "rnn/corpus.py", "rnn/__init__.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / "data").mkdir()
    command = [sys.executable, "-m", "tools.text", written(tmp_path, LONG * 99), "data/moby-dick.txt"]
    environment = os.environ | {"PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=copy, env=environment)
    assert run.returncode == 1
    assert "is not the expected text: joined, its SHA-256 is" in run.stderr
    assert list((copy / "data").iterdir()) == [], "a refused text is not written"
