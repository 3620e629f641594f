"""What goes into the image's file tree, as far as it is decided without Debian."""

import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]


def program():
    """The module tools/rootfs.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("rootfs", ROOT / "tools" / "rootfs.py")
    module = sys.modules["rootfs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rootfs = program()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a, b.c as d", {"a", "b.c"}),
        ("from a import b", {"a", "a.b"}),
        ("from a import *", {"a"}),
        (
            "def f():\n    try:\n        import a\n    except ImportError:\n        from b import c",
            {"a", "b", "b.c"},
        ),
        ("from . import a", {"top.pkg", "top.pkg.a"}),
        ("from .a import b", {"top.pkg.a", "top.pkg.a.b"}),
        ("from ..a import b", {"top.a", "top.a.b"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("if typing.TYPE_CHECKING:\n    import a", set()),
        ("if __name__ == '__main__':\n    import a", set()),
        ("if not TYPE_CHECKING:\n    import a", {"a"}),
    ],
)
def test_a_module_imports_what_its_text_says_anywhere(source, names):
    assert set(rootfs.imports(source.encode(), "top.pkg.module", is_package=False)) == names


def test_a_package_is_where_its_own_relative_imports_start():
    assert set(rootfs.imports(b"from . import a", "top.pkg", is_package=True)) == {"top.pkg", "top.pkg.a"}


def found(folder: Path, *roots: str, never: tuple[str, ...] = ()) -> set[str]:
    return set(rootfs.reachable(roots, rootfs.finder([folder]), never))


def test_what_is_imported_by_what_is_imported_is_reached(tmp_path):
    folder = tmp_path / "modules"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("import c")
    (folder / "pkg" / "b.py").write_text("from pkg import nothing")
    (folder / "a.py").write_text("from pkg.b import x")
    (folder / "c.py").write_text("import a, sys")
    (folder / "d.py").write_text("")

    assert found(folder, "a") == {"a", "pkg", "pkg.b", "c"}


def test_what_is_never_needed_is_not_reached_nor_what_only_it_needs(tmp_path):
    (tmp_path / "a.py").write_text("import b")
    (tmp_path / "b.py").write_text("import c")
    (tmp_path / "c.py").write_text("")

    assert found(tmp_path, "a", never=("b",)) == {"a"}


def test_a_folder_without_an_init_is_passed_through(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.py").write_text("")

    assert found(tmp_path, "folder.a") == {"folder.a"}


def test_a_module_in_c_is_followed_by_the_text_beside_it(tmp_path):
    (tmp_path / f"a{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    (tmp_path / "a.py").write_text("import b")
    (tmp_path / "b.py").write_text("")

    reached = rootfs.reachable(["a"], rootfs.finder([tmp_path]))

    assert {name: path.suffix for name, path in reached.items()} == {"a": ".so", "b": ".py"}


def test_modules_are_named_by_their_places(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")

    assert list(rootfs.modules(tmp_path)) == ["b", "pkg", "pkg.a"]


def test_every_module_of_ours_is_a_root():
    assert set(rootfs.modules(ROOT / "src")) >= {"py_aws_oidc.__main__", "py_aws_oidc.aws.sts"}


NAMES = st.text("abc.-", min_size=1, max_size=4)
PARTITIONS = st.lists(
    st.fixed_dictionaries(
        {"partition": NAMES, "regions": st.just({"r": {}}), "services": st.dictionaries(NAMES, st.just({}))}
    )
)


@given(PARTITIONS, st.sets(NAMES))
def test_endpoints_lose_other_services_and_nothing_else(partitions, kept):
    trimmed = rootfs.trimmed({"version": 3, "partitions": partitions}, kept)

    assert trimmed["version"] == 3
    for before, after in zip(partitions, trimmed["partitions"], strict=True):
        assert after["services"].keys() == before["services"].keys() & kept
        assert before | {"services": None} == after | {"services": None}


def test_a_record_keeps_the_rows_of_files_that_are_left_and_says_what_they_are_now(tmp_path):
    rows = 'a.py,sha256=x,1\n"b,c.py",sha256=y,2\nRECORD,,\n'
    (tmp_path / "file").write_bytes(b"")

    left = rootfs.record(rows, {"b,c.py": tmp_path / "file", "RECORD": tmp_path / "RECORD"})

    assert left == '"b,c.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nRECORD,,\n'


def test_the_files_that_a_program_needs_include_the_loader():
    answer = """\
/usr/bin/python3.13:
\tlinux-vdso.so.1 (0x00007ffc)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f38)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f39)
\tstatically linked
"""

    assert rootfs.needed(answer) == ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


def test_a_library_that_is_not_found_is_named():
    answer = "/usr/bin/a:\n\tlibb.so.1 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f38)\n"

    with pytest.raises(FileNotFoundError, match=r"needs libb\.so\.1, "):
        rootfs.needed(answer)


def test_a_file_may_have_several_owners():
    answer = "libc6:amd64: /usr/lib/libc.so.6\ndiversion by dash from: /bin/sh\na, b:amd64: /bin\n"

    assert rootfs.owners(answer) == {"libc6", "a", "b"}


def test_paragraphs_of_other_packages_are_left_out():
    status = "Package: a\nVersion: 1\n\nPackage: ab\nVersion: 2\n\nPackage: c\nVersion: 3\n"

    assert rootfs.paragraphs(status, {"a", "c"}) == "Package: a\nVersion: 1\n\nPackage: c\nVersion: 3\n\n"


def tree(tmp_path: Path):
    return rootfs.Tree(tmp_path / "tree")


def test_to_ask_where_a_path_is_makes_nothing(tmp_path):
    grown = tree(tmp_path)

    assert grown.at("/var/cache") == tmp_path / "tree" / "var" / "cache"
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_taken_with_the_file_it_leads_to(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o755)
    (tmp_path / "link").symlink_to("file")
    grown = tree(tmp_path)

    grown.take(tmp_path / "link")
    grown.take(tmp_path / "link")

    assert grown.files() == [tmp_path / "file", tmp_path / "link"]
    assert os.readlink(grown.at(tmp_path / "link")) == "file"  # noqa: PTH115 - what is written in it
    assert stat.S_IMODE(grown.at(tmp_path / "file").stat().st_mode) == 0o755


def test_a_link_to_a_folder_is_taken_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    grown = tree(tmp_path)

    grown.take(tmp_path / "link")

    assert grown.files() == [tmp_path / "link"]


def test_files_have_the_same_mode_whoever_checked_them_out(tmp_path):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "a.txt").chmod(0o664)
    grown = tree(tmp_path)

    grown.take_files({Path("/b/a.txt"): tmp_path / "a.txt"})

    assert stat.S_IMODE(grown.at("/b/a.txt").stat().st_mode) == 0o644


def test_the_release_is_compiled_and_dated_so_that_it_is_the_same_at_any_time(tmp_path):
    source = tmp_path / "source"
    (source / "py_aws_oidc").mkdir(parents=True)
    (source / "py_aws_oidc" / "__init__.py").write_text("A = 1\n")
    grown = tree(tmp_path)

    rootfs.release(grown, source)
    grown.date()

    module = grown.at(rootfs.PACKAGES / "py_aws_oidc" / "__init__.py")
    bytecode = Path(importlib.util.cache_from_source(module))
    assert bytecode.read_bytes()[4:8] == b"\1\0\0\0"  # PEP 552: never checked
    assert {path.lstat().st_mtime for path in (grown.top, *grown.top.rglob("*"))} == {rootfs.DATE_SECONDS}


@pytest.mark.parametrize("stage", ["main", "post"])
def test_a_door_hands_on_the_exit_status_and_all_that_was_printed(tmp_path, stage):
    (tmp_path / "py_aws_oidc").mkdir()
    (tmp_path / "py_aws_oidc" / "__init__.py").write_text("")
    (tmp_path / "py_aws_oidc" / "__main__.py").write_text(
        "def main(arguments):\n    print(*arguments, end='')\n    return 3\n"
    )
    call = [sys.executable, "-c", rootfs.DOOR.format(stage)]

    ended = subprocess.run(call, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, stage, "")


def test_the_services_are_those_that_botocore_makes_clients_of():
    data = Path(importlib.util.find_spec("botocore").origin).parent / "data"
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    names = {name for partition in endpoints["partitions"] for name in partition["services"]}

    assert all((data / service).is_dir() for service in rootfs.SERVICES)
    assert names >= set(rootfs.SERVICES.values())


def test_no_library_that_guesses_charsets_is_required():
    # rootfs leaves its modules out (NEVER), but its dist-info would go into the image and tell scanners of it.
    required = (ROOT / "requirements" / "image.txt").read_text()

    assert re.findall(r"^(?:charset-normalizer|chardet)==", required, re.MULTILINE) == []
