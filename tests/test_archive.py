"""The archives of the image's modules, and the import from them."""

import importlib
import importlib.resources
import importlib.util
import inspect
import marshal
import runpy
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import pytest
from tests.tool import TOOLS, tool

archive = tool("archive")
archived = tool("archived")

PACKAGES = archive.PACKAGES.relative_to("/")
FILES = {
    "archived_package/__init__.py": "A = 1\n",
    "archived_package/fails.py": "def fail():\n    raise ValueError  # as the source has it\n",
    "archived_package/part/__init__.py": "from archived_package import A\n\nB = A + 1\n",
    "archived_package/__main__.py": "RAN = __name__\n",
    "stays.py": "",
}


def written(top: Path, files: dict[str, str] = FILES, *, stay: tuple[str, ...] = ("stays",)) -> Path:
    """The path, without a suffix, of the archive of a tree with these modules."""
    for name, text in files.items():
        place = top / PACKAGES / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    command = (sys.executable, "-SB", TOOLS / "archive.py", top, "/usr/modules", *stay)
    subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=True)
    return top / "usr" / "modules"


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Import a module from an archive, as the image does."""
    finder = archived.Archive(str(written(tmp_path)))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    yield importlib.import_module
    for name in [name for name in sys.modules if name.startswith("archived_package")]:
        del sys.modules[name]


def test_a_tree_keeps_only_the_modules_that_stay_files(tmp_path):
    written(tmp_path)

    cache = PACKAGES / "__pycache__" / f"stays.{sys.implementation.cache_tag}.pyc"
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"usr/modules.zip", "usr/modules.index", f"{PACKAGES}/stays.py", str(cache)}


def test_a_folder_without_modules_is_gone_and_one_with_data_is_not(tmp_path):
    data = tmp_path / PACKAGES / "archived_package" / "data.json"
    data.parent.mkdir(parents=True)
    data.write_text("{}")

    written(tmp_path)

    assert data.exists()
    assert not (tmp_path / PACKAGES / "archived_package" / "part").exists()


def test_an_archive_is_a_zip_file_of_the_files_as_they_would_lie_under_the_root(tmp_path):
    path = written(tmp_path)

    with zipfile.ZipFile(f"{path}.zip") as files:
        sources = {name: files.read(name).decode() for name in files.namelist() if name.endswith(".py")}
        compressed = {entry.compress_type for entry in files.infolist()}

    assert sources == {f"{PACKAGES}/{name}": text for name, text in FILES.items() if name != "stays.py"}
    assert compressed == {zipfile.ZIP_STORED}


def test_bytecode_is_never_checked_against_the_source(tmp_path):
    path = written(tmp_path)

    with zipfile.ZipFile(f"{path}.zip") as files:
        headers = {files.read(name)[:8] for name in files.namelist() if name.endswith(".pyc")}

    assert headers == {importlib.util.MAGIC_NUMBER + b"\1\0\0\0"}  # PEP 552


def test_the_index_says_where_each_modules_bytecode_is(tmp_path):
    path = written(tmp_path)
    index = marshal.loads(Path(f"{path}.index").read_bytes())  # noqa: S302 - written above
    content = Path(f"{path}.zip").read_bytes()

    assert index.keys() == {
        "archived_package",
        "archived_package.__main__",
        "archived_package.fails",
        "archived_package.part",
    }
    for source, offset, size in index.values():
        code = marshal.loads(content[offset : offset + size])  # noqa: S302 - written above
        assert code.co_filename == source


def test_the_archive_of_the_same_modules_is_the_same_wherever_it_is_written(tmp_path):
    one, two = (written(tmp_path / name / name) for name in ("one", "two"))

    for suffix in ("zip", "index"):
        assert Path(f"{one}.{suffix}").read_bytes() == Path(f"{two}.{suffix}").read_bytes()


def test_a_module_is_imported_with_the_path_that_it_would_have_as_a_file(imported):
    module = imported("archived_package.part")

    assert module.B == 2
    assert module.__file__ == f"/{PACKAGES}/archived_package/part/__init__.py"
    assert module.__path__ == [f"/{PACKAGES}/archived_package/part"]
    assert not hasattr(imported("archived_package.fails"), "__path__")


def test_a_module_that_is_not_in_the_archive_is_left_to_others(tmp_path):
    assert archived.Archive(str(written(tmp_path))).find_spec("json") is None


def test_a_traceback_has_the_lines_of_the_source(imported):
    module = imported("archived_package.fails")

    with pytest.raises(ValueError) as raised:  # noqa: PT011 - no words: the traceback is the point
        module.fail()

    assert "raise ValueError  # as the source has it" in "".join(traceback.format_tb(raised.value.__traceback__))
    assert inspect.getsource(module.fail) == FILES["archived_package/fails.py"]


def test_what_lies_beside_a_module_is_found_there(imported, tmp_path):
    package = imported("archived_package")
    beside = tmp_path / "data.txt"
    beside.write_text("data")

    assert importlib.resources.files(package) == Path(f"/{PACKAGES}/archived_package")
    assert package.__loader__.get_data(str(beside)) == b"data"


@pytest.mark.usefixtures("imported")
def test_a_module_is_run_by_its_name():
    assert runpy.run_module("archived_package", run_name="__main__")["RAN"] == "__main__"


def test_archives_come_behind_what_is_built_in_and_before_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", ["built in", "frozen", "files"])

    archived.install([str(written(tmp_path))])

    assert [type(one).__name__ for one in sys.meta_path] == ["str", "str", "Archive", "str"]
