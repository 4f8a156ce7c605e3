import pytest

from report.chapters import chosen, label, left_out

NAMES = ["01_a", "02_b", "03_c", "05_e", "03_c copy", "03_c-Copy1", "05_e (1)", "notes", "00_intro", "index"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("chapters", "numbers"),
    [
        ("", ["01", "02", "03", "05"]),
        ("01-05", ["01", "02", "03", "05"]),
        ("1,3", ["01", "03"]),
        ("01 03-05", ["01", "03", "05"]),
        ("05", ["05"]),
    ],
)
def test_chapters_are_named_by_number_and_range(folder, chapters, numbers):
    assert [path.name[:2] for path in chosen(chapters, folder)] == numbers
    assert label(chapters, folder) == ("-".join(["chapters", *numbers]) if chapters else "all")


@pytest.mark.parametrize(
    ("chapters", "sentence"),
    [("two", "CHAPTERS must be like 01-05 or 01,03, got two"), ("1,7-9", "CHAPTERS: no notebook has a number in 7-9")],
)
def test_a_choice_that_means_nothing_gets_a_sentence(folder, chapters, sentence):
    with pytest.raises(ValueError, match=sentence):
        chosen(chapters, folder)


def test_copies_and_names_with_spaces_are_left_out_and_named(folder):
    sentences = left_out(folder)
    assert [sentence.split(" is not in")[0] for sentence in sentences] == [
        f"notebooks/{name}.ipynb" for name in sorted(NAMES[4:9])
    ]
