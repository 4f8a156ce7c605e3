import os
import re
import subprocess
import sys

import numpy as np
import pytest

from report.show import describe
from rnn import corpus
from rnn.corpus import ROOT, CorpusError, decode, encode, read_corpus

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
    "NULs": (b"text\0" * 100, "has NUL characters, as a text in UTF-16 or a binary file has: save it as UTF-8"),
    "UTF-16 without a mark": ((LONG * 9).encode("utf-16-le"), "has NUL characters, as a text in UTF-16"),
    "UTF-16 with a mark": ((LONG * 9).encode("utf-16"), "not UTF-8: byte 0 "),
    "a half of a surrogate pair": (LONG.encode() + b"\xed\xa0\x80", f"not UTF-8: byte {len(LONG)} "),
    "empty": (b"", "is empty"),
    "too short": (b"abcdefghijklmnopqrstuvwxy", "has 25 characters; one sequence and its target take 26"),
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
    run = subprocess.run([sys.executable, ROOT / "tools" / "text.py", path], capture_output=True, text=True)
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


@pytest.mark.parametrize("change", ["grows", "shrinks", "changes", "is another text", "is no UTF-8", "goes"])
@pytest.mark.parametrize("reading", [1, 2, 3, 4])
def test_a_text_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change, reading):
    """It is read four times: for its hash, its characters, their codes and its hash again."""
    path, seen = written(tmp_path, LONG * 50), []
    opened = type(path).open

    def open_(self, *arguments, **settings):
        seen.append(self)
        if len(seen) == reading and change == "goes":
            path.unlink()
        elif len(seen) == reading:
            with opened(self, "rb") as file:
                data = file.read()
            changed = {"grows": data + b"!", "shrinks": data[:-1], "changes": data[::-1]}
            others = {"is another text": b"0123456789" * 220, "is no UTF-8": b"\xff" + data[1:]}
            with opened(self, "wb") as file:
                file.write((changed | others)[change])
        return opened(self, *arguments, **settings)

    monkeypatch.setattr(type(path), "open", open_)
    if reading == 1 and change not in ("goes", "is no UTF-8"):
        read_corpus(path)  # it changed before
    else:
        with pytest.raises(CorpusError, match=r"has changed while it was read|cannot be read|is not UTF-8"):
            read_corpus(path)
    assert len(seen) <= 4


def test_a_default_text_with_another_hash_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "MOBY_DICK", written(tmp_path, LONG))
    with pytest.raises(CorpusError, match=r"not the expected text: its SHA-256 is [0-9a-f]{64}, expected 64b0151d"):
        read_corpus()


def test_a_byte_order_mark_is_dropped_and_crlf_becomes_lf_and_both_are_said(tmp_path):
    text = read_corpus(written(tmp_path, b"\xef\xbb\xbf" + b"one line\r\n" * 9))
    assert text.text == "one line\n" * 9
    assert "byte-order mark" in describe(text)
    assert "Line ends of Windows (CRLF)" in describe(text)


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
    first, second = written(tmp_path, LONG), written(tmp_path / "other", LONG + "!")
    assert read_corpus(first).id != read_corpus(second).id
    assert read_corpus().part(0, 100).id != read_corpus().id


def test_line_ends_of_old_macs_become_plain_ones(tmp_path):
    text = read_corpus(written(tmp_path, "one line\rand another\r\nand a third\r\r"))
    assert text.text == "one line\nand another\nand a third\n\n"
    assert text.notes == ("Line ends of Windows (CRLF) or old Macs (CR) became plain ones (LF).",)


def test_a_large_text_is_read_in_pieces_and_its_codes_are_mapped_from_disk(tmp_path, monkeypatch):
    lines = [f"Zeile {n}: Grüße, 世界 🐳\r\n" for n in range(500)]
    path = written(tmp_path, "\ufeff" + "".join(lines))
    in_memory = read_corpus(path)
    monkeypatch.setattr(corpus, "LARGE", 1000)
    for piece in (5, 64, 999):  # cuts through characters and line ends
        monkeypatch.setattr(corpus, "PIECE", piece)
        large = read_corpus(path)
        assert isinstance(large.codes.base, np.memmap)
        assert large[:3] == in_memory[:3]
        assert large.notes == in_memory.notes
        np.testing.assert_array_equal(large.codes, in_memory.codes)
        assert large.text == "".join(lines).replace("\r\n", "\n")


@pytest.mark.parametrize("piece", [7, 64, 10_000])
def test_the_byte_that_is_no_character_is_counted_from_the_beginning_of_the_file(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(corpus, "PIECE", piece)
    data = ("é世" * 40).encode()
    with pytest.raises(CorpusError, match=f"byte {len(data):,} "):
        read_corpus(written(tmp_path, data + b"\xe4\xb8 and so on"))
    with pytest.raises(CorpusError, match=f"byte {len(data):,} "):
        read_corpus(written(tmp_path, data + b"\xe4\xb8"))


def test_reading_takes_no_more_memory_than_the_pieces(tmp_path, monkeypatch):
    path = written(tmp_path, LONG * 600_000)  # 26 MB
    program = (
        "import resource, sys; from rnn import corpus; corpus.LARGE = 1000; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "corpus.PIECE = 100_000; corpus.read_corpus(sys.argv[1]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    kilobytes = int(run.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 26_000 * 1.6  # its mapped codes count as 26 MB until the system takes the pages back


def test_joined_lines_make_a_paragraph_one_line_and_leave_verse_and_blank_lines(tmp_path):
    path = written(tmp_path, "One\ntwo.\n\nThree—\n\n    verse\n    verse\n\n\nfour\nfive\n" + 30 * LONG)
    script = [sys.executable, ROOT / "tools" / "text.py", path, tmp_path / "joined.txt"]
    subprocess.run(script, check=True, capture_output=True)
    joined = (tmp_path / "joined.txt").read_text("utf-8")
    assert joined.startswith("One two.\n\nThree—\n\n    verse\n    verse\n\n\nfour five ")
    assert max(map(len, read_corpus().text.split("\n"))) > 1_000
