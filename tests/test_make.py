import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import nbformat
import psutil
import pytest
import yaml
from matplotlib.figure import Figure
from pypdf import PdfReader
from traitlets.config.loader import PyFileConfigLoader

from tests.conftest import ROOT, make, restored

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def test_make_alone_explains_the_targets():
    printed = make().stdout
    for target in ("setup", "data", "report", "train", "sweep", "test", "lab", "bench", "check", "number", "clean"):
        assert re.search(rf"^  {target} +\S", printed, re.MULTILINE)


def test_a_second_report_with_nothing_changed_does_nothing(project, report):
    before = (report.folder / "report.html").stat().st_mtime_ns
    assert "Nothing has changed." in project.report().output
    assert (report.folder / "report.html").stat().st_mtime_ns == before


def test_the_report_says_what_each_stage_took(report):
    for name in (*(f"notebooks/{source.name}" for source in NOTEBOOKS), "Notebooks", "Page and paper"):
        assert re.search(rf"^{name}: \d+ s$", report.output, re.MULTILINE)


def test_a_stage_makes_the_folder_for_results_before_its_command_writes_there(tmp_path):
    build = tmp_path / "build"  # compiling may be the first to write: npm may still be fetching
    stage = ["bash", ROOT / "tools" / "stage.sh", build / "stages", "Compiling"]
    subprocess.run([*stage, "touch", build / "compiled"], check=True)
    assert re.fullmatch(r"Compiling: \d+ s\n", (build / "stages").read_text())
    assert (build / "compiled").exists()


def test_the_report_says_how_long_the_paper_is(report):
    pages = len(PdfReader(report.folder / "report.pdf").pages)
    assert f"report.pdf has {pages} pages." in report.output.splitlines()


def test_every_notebook_was_executed_in_quick_mode_without_an_error(report):
    for source in NOTEBOOKS:
        executed = nbformat.read(report.folder / source.name, 4)
        code = [cell for cell in executed.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
        assert any("QUICK = True" in cell.source for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_in_git_and_the_promised_rhythm(path):
    cells = nbformat.read(path, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    in_git = subprocess.run(["git", "show", f":{path.relative_to(ROOT)}"], cwd=ROOT, capture_output=True, text=True)
    if in_git.returncode == 0:  # it may be a folder without git, or a notebook that is not in it yet
        of_git = [cell for cell in nbformat.reads(in_git.stdout, 4).cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in of_git), "whatever the student's own file has"
    assert cells[0].source.startswith("# ")
    assert cells[0].source.splitlines()[0].endswith("?")
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    (tries,) = (n for n, cell in enumerate(cells) if cell.source.startswith("## Try it\n"))
    assert "live-only" in cells[tries].metadata.tags
    assert all("page-only" in cell.metadata.tags for cell in cells[tries + 1 :]), "only an appendix comes after it"
    in_paper = [cell for cell in cells if not {"page-only", "live-only"} & set(cell.metadata.get("tags", []))]
    assert "assert " in in_paper[-1].source, "what the text says is held at its end"


def executed(source, target, *parameters, **environment):
    command = [sys.executable, "-m", "report.execute", target.parent, source, *parameters]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment)


def printed(path):
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]
    return [output.text for output in outputs if output.output_type == "stream"]


def notebook(folder, *cells):
    path = folder / "01_small.ipynb"
    made = [
        nbformat.v4.new_markdown_cell(source[1:]) if source.startswith("#") else nbformat.v4.new_code_cell(source)
        for source in cells
    ]
    made.insert(1, nbformat.v4.new_code_cell("QUICK = False", metadata={"tags": ["parameters"]}))
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def test_a_failed_cell_names_notebook_and_cell_shows_the_traceback_and_leaves_nothing(tmp_path):
    """Cells that have no ids too, as Colab saves them."""
    source = without_ids(notebook(tmp_path, "x = 1", "x / 0", "y = 2"))
    result = executed(source, tmp_path / "out" / "01_small.ipynb")
    assert result.returncode == 1
    assert "01_small.ipynb stopped in cell 3 (cell-3): ZeroDivisionError: division by zero" in result.stderr
    assert "x / 0" in re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)
    assert not (tmp_path / "out" / "01_small.ipynb").exists()
    assert (tmp_path / "out" / "01_small.failed.ipynb").exists()


def test_a_file_that_cannot_be_written_or_read_is_named_without_a_traceback(tmp_path):
    (tmp_path / "out" / "01_small.part").mkdir(parents=True)
    result = executed(notebook(tmp_path, "1"), tmp_path / "out" / "01_small.ipynb")
    assert result.returncode == 1
    assert result.stderr == f"[Errno 21] Is a directory: '{tmp_path}/out/01_small.part'\n"
    command = [sys.executable, "-m", "report.render", tmp_path / "empty"]
    rendered = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert rendered.returncode == 1
    assert rendered.stderr == f"[Errno 2] No such file or directory: '{tmp_path}/empty/{NOTEBOOKS[0].name}'\n"


def test_a_kernel_listens_on_files_also_where_the_folder_for_temporary_files_has_a_long_name(tmp_path):
    """A port is open to every user of the machine; a socket's path may have some hundred characters."""
    asked = """
import multiprocessing, psutil
print([found.laddr for found in psutil.Process().net_connections('inet')])
process = multiprocessing.get_context('fork').Process(target=print, args=('from a forked process',))
process.start(); process.join()"""
    target = tmp_path / "out" / "01_small.ipynb"
    long = tmp_path / ("x" * 98)
    long.mkdir()
    result = executed(notebook(tmp_path, asked), target, TMPDIR=str(long))
    assert result.returncode == 0, result.stderr
    assert "".join(printed(target)) == "[]\nfrom a forked process\n"


def test_what_a_cell_prints_slowly_is_one_output_up_to_the_next_figure(tmp_path):
    target = tmp_path / "out" / "01_small.ipynb"
    cell = "print(1, flush=True)\nprint(2, flush=True)\ndisplay('a figure')\nprint(3)"
    executed(notebook(tmp_path, cell), target)
    assert printed(target) == ["1\n2\n", "3\n"]


def test_what_a_command_prints_is_output_and_what_overwrites_itself_is_not(tmp_path):
    target = tmp_path / "out" / "01_small.ipynb"
    result = executed(notebook(tmp_path, "!echo a command", "print('5%\\r6%')"), target)
    assert [text.split() for text in printed(target)] == [["a", "command"]]
    assert "5%" in result.stderr


def without_ids(path):
    saved = json.loads(path.read_text("utf-8"))
    for cell in saved["cells"]:
        del cell["id"]
    path.write_text(json.dumps(saved | {"nbformat_minor": 0}), "utf-8")
    return path


@pytest.mark.parametrize("end", ["interrupt", "kill", "kill make"])
def test_a_kernel_ends_with_what_executes_the_notebook(tmp_path, end):
    as_make = subprocess.Popen(["sleep", "infinity"])
    source = notebook(tmp_path, "import os, time; print(os.getpid(), file=open('number', 'w')); time.sleep(9999)")
    command = [sys.executable, "-m", "report.execute", tmp_path / "out", source]
    executing = subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which tests in the background ignore
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"MAKE_PID": str(as_make.pid)},
    )
    while not (written := tmp_path / "number").exists() or not written.read_text():
        assert executing.poll() is None
        time.sleep(0.1)
    kernel = psutil.Process(int(written.read_text()))
    if end == "kill":
        executing.kill()
    elif end == "interrupt":
        os.killpg(executing.pid, signal.SIGINT)  # as a terminal does
    as_make.kill()
    as_make.wait()
    assert executing.wait() != 0
    assert b"Traceback" not in executing.stderr.read()
    kernel.wait()


@pytest.fixture
def clone(tmp_path):
    """A repository with what `make filter` needs, and a notebook."""
    folder = tmp_path / "a clone"
    for name in ("rnn", "report", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitattributes", ".gitignore", "Makefile", "requirements.lock", "package-lock.json"):
        shutil.copy(ROOT / name, folder)
    notebook(folder, "x = 1")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "01_x.ipynb").write_bytes((folder / "01_small.ipynb").read_bytes())
    git(folder, "init", "-q")
    assert make("filter", f"ENV={sys.prefix}", cwd=folder).returncode == 0
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a")
    return folder


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=b", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def run_and_saved(path):
    """Leave in a notebook what JupyterLab leaves there after Run All and save."""
    run = nbformat.read(path, 4)
    run.cells[0].outputs = [nbformat.v4.new_output("stream", text="an output\n" * 1000)]
    run.cells[0].execution_count = 7
    run.cells[0].metadata |= {"editable": True, "slideshow": {"slide_type": ""}}
    run.metadata |= {
        "language_info": {"name": "python", "version": "3.99"},
        "kernelspec": {"name": "mine", "display_name": "Mine", "language": "python"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    }
    nbformat.write(run, path)


def test_run_all_and_save_leaves_git_clean(clone):
    run_and_saved(clone / "01_small.ipynb")
    assert git(clone, "diff") == ""
    settings = PyFileConfigLoader("lab.py", str(ROOT / "tools")).load_config()
    settings.FileContentsManager.post_save_hook(os_path=str(clone / "01_small.ipynb"), model={}, contents_manager=None)
    assert git(clone, "status", "--porcelain") == ""
    assert "an output" in (clone / "01_small.ipynb").read_text("utf-8"), "they stay in the student's file"
    changed = (clone / "01_small.ipynb").read_text("utf-8").replace("x = 1", "x = 2")
    (clone / "01_small.ipynb").write_text(changed, "utf-8")
    settings.FileContentsManager.post_save_hook(os_path=str(clone / "01_small.ipynb"), model={}, contents_manager=None)
    assert git(clone, "diff", "--cached") == "", "what a student changes, he adds himself"


@pytest.mark.parametrize("kind", ["worktree", "submodule", "copy"])
def test_git_keeps_no_outputs_in_a_worktree_a_submodule_and_a_copied_folder(clone, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "worktree":
        git(clone, "worktree", "add", "-q", other)
    elif kind == "submodule":
        git(tmp_path, "init", "-q", "super")
        git(tmp_path / "super", "submodule", "--quiet", "add", str(clone), "sub")
        other = tmp_path / "super" / "sub"
        assert make("filter", f"ENV={sys.prefix}", cwd=other).returncode == 0
    else:
        shutil.copytree(clone, other)
        shutil.rmtree(clone)
    run_and_saved(other / "01_small.ipynb")
    git(other, "add", ".")
    assert git(other, "status", "--porcelain") == ""


def test_a_changed_sentence_keeps_the_outputs_and_changed_code_does_not(tmp_path):
    target = tmp_path / "out" / "01_small.ipynb"
    code = "import time; print(time.time_ns())"

    executed(notebook(tmp_path, "# A sentence.", code), target, "QUICK=1")
    first = printed(target)
    executed(notebook(tmp_path, "# Another sentence.", code), target, "QUICK=1")
    assert printed(target) == first
    assert "Another sentence." in target.read_text()
    tagged = nbformat.read(notebook(tmp_path, "# Another sentence.", code), 4)
    tagged.cells[-1].metadata.tags = ["show-code"]
    nbformat.write(tagged, tmp_path / "01_small.ipynb")
    executed(tmp_path / "01_small.ipynb", target, "QUICK=1")
    assert printed(target) == first
    assert nbformat.read(target, 4).cells[-1].metadata.tags == ["show-code"], "a tag is a change of words"
    executed(notebook(tmp_path, "# Another sentence.", code + "  # changed"), target, "QUICK=1")
    assert printed(target) != first


def test_changed_words_of_prose_are_filled_with_the_values_of_before(tmp_path):
    """Even where an expression prints: the sentence is not the first output then."""
    target = tmp_path / "out" / "01_small.ipynb"
    prose = "%%prose\n{} {{{{ [print('noise'), 41 + 1][1] }}}}."
    executed(notebook(tmp_path, "# A title", "%load_ext report.show", prose.format("Before")), target, "QUICK=1")
    printed = executed(
        notebook(tmp_path, "# A title", "%load_ext report.show", prose.format("After")), target, "QUICK=1"
    )
    assert "only sentences have changed" in printed.stdout
    (data,) = (output.data for output in nbformat.read(target, 4).cells[-1].outputs if "data" in output)
    assert data["text/markdown"] == data["text/plain"] == "After 42."


@contextlib.contextmanager
def changed(path, old, new, kind="code"):
    """A notebook of the copy with other words in a cell, for as long as the block runs."""
    with restored(path):
        notebook = nbformat.read(path, 4)
        cells = [cell for cell in notebook.cells if old in cell.source and cell.cell_type == kind]
        cells[0].source = cells[0].source.replace(old, new)
        nbformat.write(notebook, path)
        yield


def checkpoints(project):
    return {path: path.stat().st_mtime_ns for path in (project.folder / "runs").glob("*/m*/checkpoint")}


@pytest.mark.changes_the_report
def test_an_experiment_trains_what_it_changes_and_changed_sentences_only_render(project, report):
    """Changed words are in Markdown, and in a sentence with numbers, whose numbers are kept."""
    experiment, words = (project.folder / "notebooks" / name for name in ("03_training.ipynb", "06_held_out.ipynb"))
    before = checkpoints(project)
    with (
        changed(experiment, "m=100,", "m=22,"),
        changed(words, "How good is it?", "How good is it after eight nights?", "markdown"),
        changed(words, "Seeds change the loss", "Seeds alter the loss"),
    ):
        printed = project.report().output
    assert f"{words.name}: only sentences have changed" in printed
    assert [source.name for source in NOTEBOOKS if f"{source.name} ..." in printed] == [experiment.name]
    after = checkpoints(project)
    assert [path for path in before if after.get(path) != before[path]] == []
    assert 1 <= len(after.keys() - before.keys()) <= 3
    assert "recurrent network of 22 units" in " ".join(re.sub("<[^>]+>", "", report.html).split())
    assert "How good is it after eight nights?" in report.html
    assert re.search(r"Seeds alter the loss [^.]*\bby\s+\d+\.\d\d bits", report.html)


@pytest.mark.changes_the_report
def test_after_a_sweep_its_chapters_are_executed_again(project, report):
    """The rehearsal's sweep trains what its notebooks train, so that everything is found."""
    before = checkpoints(project)
    assert len(before) > 70
    result = project.make("sweep", "QUICK=1")
    assert result.returncode == 0, result.stderr
    assert "What the notebooks need is trained" in result.stdout
    assert checkpoints(project) == before
    missing = {source.name[:2] for source in NOTEBOOKS if not (report.folder / source.name).exists()}
    assert missing == {"06", "07", "08"}
    assert "report.execute" in project.make("-n", "report", "QUICK=1").stdout


def test_what_make_runs_knows_makes_number():
    """By it training and notebooks see that make was killed."""
    makes, ends_with = make("--eval", "whose:; @echo $$PPID $$MAKE_PID", "whose").stdout.split()
    assert makes == ends_with


def test_a_scheduler_comes_from_the_command_line_or_the_environment(project, tmp_path):
    (tmp_path / "untrained.txt").write_text("no run of this text is on disk\n" * 99, "utf-8")
    sweep = ("sweep", "QUICK=1", f"CORPUS={tmp_path / 'untrained.txt'}")
    on_the_line = project.make(*sweep, "SCHEDULER=none://here:9")  # Dask need not wait to know that nothing answers
    in_the_environment = project.make(*sweep, SCHEDULER="none://here:7")
    for result, address in ((on_the_line, "none://here:9"), (in_the_environment, "none://here:7")):
        assert result.returncode != 0
        assert f"No Dask scheduler answers at {address}" in result.stderr
        assert "Traceback" not in result.stderr


OF_MY_OWN = [  # of a student, none of it with `report.show`
    "%load_ext report.show",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
    "import pandas as pd\npd.Series([1., 2]).plot(logy=True);",
    "from IPython.display import HTML, Image, Markdown, display\nImage('x.png')",
    "frame = pd.DataFrame({'of a frame': [2.5, 3.25]})\nframe",
    "frame['of a frame'].rename('of a series')",
    "frame.style.highlight_max(color='#ff8000').set_caption('of a style')",
    "HTML('<p>of <b>HTML</b></p>')",
    "display(Markdown('of *Markdown*'))",
    "print('an output of my own')",
    """HTML('<div id=aa></div><script type="text/javascript">aa.textContent = "ran"</script>')""",
    "import numpy as np\nx = np.arange(3); y = 2",
    "%%prose\nThe ratio is $\\frac{{x}}{{y}}$, and y is {{ y }}.",
]
WORDS = [  # mathematics as Jupyter sets it, and pictures
    "# Is this mine?\n\nA section of my own; see [chapter 1](01_gradient_check.ipynb).",
    "\\begin{align}\na &= \\eta \\\\\nc &= d\n\\end{align}",
    "where $ \\eta $ is the learning rate, and $f_{träning}$",
    "$$ a = \\eta \\label{first} $$",
    "![linked](y.png)",
]


@pytest.mark.changes_the_report
def test_a_new_notebook_is_a_chapter_and_what_is_in_it_comes_out_in_page_and_paper(project):
    """With two copies of another notebook, which are left out and named."""
    folder = project.folder / "notebooks"
    pictures = [folder / name for name in ("x.png", "y.png")]
    for width, path in enumerate(pictures, 1):
        Figure((width, 1)).savefig(path)
    figure = io.BytesIO()
    Figure((1, 2)).savefig(figure, format="png")
    pasted = {"a.png": {"image/png": base64.b64encode(figure.getvalue()).decode()}}
    cells = [
        *map(nbformat.v4.new_markdown_cell, WORDS),
        nbformat.v4.new_markdown_cell("![pasted](attachment:a.png)", attachments=pasted),
        nbformat.v4.new_code_cell("CORPUS = None\nQUICK = False", metadata={"tags": ["parameters"]}),
        *map(nbformat.v4.new_code_cell, OF_MY_OWN),
        nbformat.v4.new_code_cell("'shown code'", metadata={"tags": ["show-code"]}),
    ]
    metadata = nbformat.read(NOTEBOOKS[0], 4).metadata
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "10_mine.ipynb")
    copies = [folder / name for name in ("03_training copy.ipynb", "03_training-Copy1.ipynb")]
    for copy in copies:
        shutil.copy(folder / "03_training.ipynb", copy)
    result = project.make("report", "QUICK=1", "CHAPTERS=10", MPLBACKEND="agg")
    for made in (*copies, *pictures, folder / "10_mine.ipynb"):
        made.unlink()
    assert result.returncode == 0, result.stderr
    for copy in copies:
        assert f"notebooks/{copy.name} is not in the report" in result.stdout
    assert "10_mine.ipynb, cell 18: <script will not run in the report" in result.stderr
    built = project.folder / "build" / "quick" / "chapters-10"
    page = (built / "report.html").read_text("utf-8")
    paper = PdfReader(built / "report.pdf")
    seen = re.sub(r"<[^>]+>", "", re.sub(r"(?s)<(annotation|script|style|pre)\b.*?</\1>", "", page))
    read = "\n".join(one.extract_text() for one in paper.pages)
    for shown in (
        "Is this mine?",
        "see chapter 1",
        "of a frame",
        "of a series",
        "of a style",
        "of HTML",
        "of Markdown",
        "y is 2",
    ):
        assert shown in seen
        assert shown in " ".join(read.split())
    for text in ("an output of my own", "shown code"):
        assert text in page
        assert text in read
    assert "What does it learn from a whole novel?" not in page
    assert page.count("data:image/png;base64,") == sum(len(one.images) for one in paper.pages) == 5
    assert page.count('class="katex-display"') == 2
    for source in ("\\begin", "\\label", "\\frac", "\\eta", "[0 1 2]", "ran"):
        assert not re.search(rf"(?<!\w){re.escape(source)}(?!\w)", seen + read), source
    assert read.count("𝜂") == 3


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(None, "does not exist"), ("é".encode("latin-1") * 9, "not UTF-8: byte 0 "), (b"abc" * 333, "1,000 are needed")],
    ids=["missing", "Latin-1", "short"],
)
def test_make_says_one_clear_sentence_of_a_bad_text(project, tmp_path, data, sentence):
    if data is not None:
        (tmp_path / "bad.txt").write_bytes(data)
    result = project.make("report", "QUICK=1", f"CORPUS={tmp_path / 'bad.txt'}")
    assert result.returncode != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert len([line for line in result.stderr.splitlines() if not line.startswith("make")]) == 1


def test_links_of_the_readmes_lead_to_files():
    for readme in ("README.md", "data/README.md", "notebooks/index.ipynb", "report/README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / readme).read_text("utf-8")):
            assert target.startswith("http") or (ROOT / readme).parent.joinpath(target).exists(), target


def declared():
    """The project of pyproject.toml, and all that the notebooks and the report need."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = settings["project"]
    groups = settings["dependency-groups"]
    needed = {line.partition(";")[0].split("<0.63")[0] for line in project["dependencies"]}
    return project, [*needed, *groups["study"], *groups["report"]]


def test_conda_users_get_the_same_dependencies():
    pyproject, needed = declared()
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    of_pip = listed.pop()["pip"]
    listed.remove("pip")
    listed.remove(f"python{pyproject['requires-python']}")
    listed[listed.index("brotli-python")] = "brotli"  # its name at conda-forge
    assert sorted(listed + of_pip) == sorted(needed)


def test_the_locks_pin_everything_with_hashes_and_name_no_registry():
    python = (ROOT / "requirements.lock").read_text("utf-8")
    bench = (ROOT / "benchmarks" / "requirements.lock").read_text("utf-8")
    for block in re.split(r"\n(?=\S)", python + bench):
        assert block.startswith("#") or "--hash=sha256:" in block
    npm = (ROOT / "package-lock.json").read_text("utf-8")
    packages = json.loads(npm)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert "resolved" not in npm
    assert "index-url" not in python + bench
    names = {re.match(r"[\w.-]+", line)[0] for line in python.splitlines() if "==" in line}
    for requirement in declared()[1]:
        assert re.match(r"[\w.-]+", requirement)[0].replace("_", "-") in names
