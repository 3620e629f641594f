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
from tests.tool import tool

ROOT = Path(__file__).parents[1]
TRIPLET = "x86_64-linux-gnu"

rootfs = tool("rootfs")


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
    return set(rootfs.reachable(roots, rootfs.finder([folder], TRIPLET), never))


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


@pytest.mark.parametrize("suffix", [f".cpython-313-{TRIPLET}.so", ".abi3.so", ".so"])
def test_a_module_in_c_is_followed_by_the_text_beside_it(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"")
    (tmp_path / "a.py").write_text("import b")
    (tmp_path / "b.py").write_text("")

    reached = rootfs.reachable(["a"], rootfs.finder([tmp_path], TRIPLET))

    assert {name: path.suffix for name, path in reached.items()} == {"a": ".so", "b": ".py"}


def test_a_module_in_c_for_another_architecture_is_not_found(tmp_path):
    (tmp_path / f"a.cpython-313-{TRIPLET}.so").write_bytes(b"")

    assert rootfs.finder([tmp_path], "aarch64-linux-gnu")("a") is None


def test_a_module_in_a_later_folder_is_found_before_a_folder_without_an_init(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.py").write_text("")

    found = rootfs.finder([tmp_path / "one", tmp_path / "two"], TRIPLET)("a")

    assert found.origin == str(tmp_path / "two" / "a.py")


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


def test_a_file_is_of_the_package_that_lists_it():
    lists = {"a": {"/usr/bin/x", "/usr"}, "b": {"/usr/bin/y", "/usr"}, "c": {"/usr/bin/z"}}

    assert rootfs.owners(lists, [Path("/usr/bin/x"), Path("/usr/bin/z")]) == {"a", "c"}


def test_a_file_of_no_package_is_an_error():
    with pytest.raises(FileNotFoundError, match="/usr/bin/y"):
        rootfs.owners({"a": {"/usr/bin/x"}}, [Path("/usr/bin/x"), Path("/usr/bin/y")])


def test_paragraphs_of_other_packages_are_left_out():
    status = "Package: a\nVersion: 1\n\nPackage: ab\nVersion: 2\n\nPackage: c\nVersion: 3\n"

    assert rootfs.paragraphs(status, {"c", "a"}) == "Package: a\nVersion: 1\n\nPackage: c\nVersion: 3\n\n"


def test_a_paragraph_is_the_same_from_a_package_and_from_dpkgs_list():
    package = "Package: a\nStatus: ok\nVersion: 1\nDescription: A\n text\n .\n more\nSection: s\n"
    of_dpkg = (
        "Package: a\nStatus: ok\nSection: s\nVersion: 1\nConffiles:\n /etc/a 12\nDescription: A\n text\n .\n more\n"
    )

    assert rootfs.paragraphs(package, {"a"}) == rootfs.paragraphs(of_dpkg, {"a"})


def root(top: Path):
    return rootfs.Root(top)


def linked(top: Path, links: dict[str, str]) -> None:
    for path, target in links.items():
        place = top / path.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("/lib/x", "/usr/lib/x"),
        ("/absolute/x", "/usr/lib/x"),
        ("/twice/x", "/usr/lib/x"),
        ("/up/x", "/usr/x"),
        ("/out/x", "/x"),
        ("/no/such/file", "/no/such/file"),
    ],
)
def test_links_are_followed_within_the_root(tmp_path, path, end):
    links = {"/lib": "usr/lib", "/absolute": "/usr/lib", "/twice": "lib", "/up": "usr/lib/..", "/out": "../../.."}
    linked(tmp_path, links)

    assert root(tmp_path).leads_to(path) == Path(end)


def test_links_that_go_round_in_circles_are_an_error(tmp_path):
    linked(tmp_path, {"/a": "b", "/b": "a"})

    with pytest.raises(OSError, match="symbolic links"):
        root(tmp_path).leads_to("/a")


def files(top: Path, *paths: str) -> None:
    for path in paths:
        place = top / path.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ((), f"/usr/lib/{TRIPLET}/libx.so.1"),
        (("/opt",), "/opt/libx.so.1"),
        (("$ORIGIN/../own",), "/usr/bin/../own/libx.so.1"),
        (("${ORIGIN}/../own",), "/usr/bin/../own/libx.so.1"),
        (("/nothing",), f"/usr/lib/{TRIPLET}/libx.so.1"),
    ],
)
def test_a_library_is_where_the_loader_searches(tmp_path, search, found):
    names = (f"/usr/lib/{TRIPLET}/libx.so.1", "/opt/libx.so.1", "/usr/own/libx.so.1", "/usr/lib/libx.so.1")
    files(tmp_path, *names)

    assert root(tmp_path).library("libx.so.1", search, TRIPLET, "/usr/bin/x") == Path(found)


def test_a_library_that_is_not_found_is_named_with_what_needs_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/usr/bin/x needs libx\.so\.1, "):
        root(tmp_path).library("libx.so.1", (), TRIPLET, "/usr/bin/x")


def test_a_program_is_where_path_leads(tmp_path):
    files(tmp_path, "/usr/sbin/a")

    assert root(tmp_path).program("a") == Path("/usr/sbin/a")


def test_the_lists_of_dpkg_are_read_whatever_the_architecture_in_their_names(tmp_path):
    folder = tmp_path / "var/lib/dpkg/info"
    folder.mkdir(parents=True)
    (folder / "libc6:arm64.list").write_text("/.\n/usr\n")
    (folder / "dash.list").write_text("/usr/bin/sh\n")

    assert root(tmp_path).packages() == {"libc6": {"/.", "/usr"}, "dash": {"/usr/bin/sh"}}


def tree(tmp_path: Path):
    return rootfs.Tree(tmp_path / "tree", root(tmp_path / "root"))


def test_to_ask_where_a_path_is_makes_nothing(tmp_path):
    grown = tree(tmp_path)

    assert grown.at("/var/cache") == tmp_path / "tree" / "var" / "cache"
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_taken_with_the_links_and_the_file_it_leads_to(tmp_path):
    files(tmp_path / "root", "/usr/lib/file")
    (tmp_path / "root/usr/lib/file").chmod(0o755)
    linked(tmp_path / "root", {"/lib": "usr/lib", "/usr/lib/link": "file", "/etc/first": "/lib/link"})
    grown = tree(tmp_path)

    grown.take("/etc/first")
    grown.take("/etc/first")

    assert grown.files() == [Path("/etc/first"), Path("/usr/lib/file"), Path("/usr/lib/link")]
    assert os.readlink(grown.at("/etc/first")) == "/lib/link"  # noqa: PTH115 - what is written in it
    assert stat.S_IMODE(grown.at("/usr/lib/file").stat().st_mode) == 0o755


def test_a_link_to_a_folder_is_taken_alone(tmp_path):
    files(tmp_path / "root", "/folder/file")
    linked(tmp_path / "root", {"/link": "folder"})
    grown = tree(tmp_path)

    grown.take("/link")

    assert grown.files() == [Path("/link")]


def test_files_have_the_same_mode_whoever_checked_them_out(tmp_path):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "a.txt").chmod(0o664)
    grown = tree(tmp_path)

    grown.take_files({Path("/b/a.txt"): tmp_path / "a.txt"})

    assert stat.S_IMODE(grown.at("/b/a.txt").stat().st_mode) == 0o644


def test_the_release_is_archived_and_dated_so_that_it_is_the_same_at_any_time(tmp_path):
    source = tmp_path / "source"
    (source / "py_aws_oidc").mkdir(parents=True)
    (source / "py_aws_oidc" / "__init__.py").write_text("A = 1\n")
    grown = tree(tmp_path)

    rootfs.release(grown, source)
    grown.date()

    doors = {Path("/usr/local/bin", name) for name in rootfs.DOORS}
    assert {path for path in grown.files() if path not in doors} == {
        Path("/usr/local/lib/python3.13/modules.index"),
        Path("/usr/local/lib/python3.13/modules.zip"),
    }
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


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a-1.dist-info/METADATA", True),
        ("a-1.dist-info/RECORD", True),
        ("a-1.dist-info/licenses/LICENSE.md", True),
        ("a-1.dist-info/LICENSE", True),
        ("a-1.dist-info/licenses/AUTHORS.rst", True),
        ("a-1.dist-info/INSTALLER", False),
        ("a-1.dist-info/WHEEL", False),
        ("botocore/data/sts/2011-06-15/service-2.json.gz", True),
        ("botocore/data/s3/2006-03-01/service-2.json.gz", False),
    ],
)
def test_of_a_package_its_names_its_licences_and_the_data_of_the_services_are_taken(name, taken):
    assert bool(rootfs.DATA.match(name)) == taken


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
