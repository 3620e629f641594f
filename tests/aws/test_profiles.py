import errno
import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count, permutations
from pathlib import Path

import pytest
from botocore.configloader import load_config, raw_config_parse
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from py_aws_oidc.aws import profiles
from py_aws_oidc.aws.profiles import ProfilePaths
from py_aws_oidc.failure import Failure
from py_aws_oidc.secret import Secret

KEY, SECRET, TOKEN = "ASIAEXAMPLE", "s3cret/+", "t0ken=="
KEYS = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_session_token": TOKEN}
SETTINGS = {name: Secret(value) for name, value in KEYS.items()}
OLD_CREDENTIALS = b"# mine\n[dev]\naws_access_key_id = OLD\n# caf\xe9\n\n[b]\r\naws_access_key_id=B\r\n"
OLD_CONFIG = b"[profile dev]\nregion = eu-west-1\n; nested\n[default]\ns3 =\n  max_concurrent_requests = 20\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def places(folder: Path, credentials: bytes | None = None, config: bytes | None = None) -> ProfilePaths:
    """Both files in the folder's .aws, with what they hold already."""
    found = ProfilePaths(folder / ".aws" / "credentials", folder / ".aws" / "config", {})
    for path, data in ((found.credentials, credentials), (found.config, config)):
        if data is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return found


def write(where: ProfilePaths, profile: str = "dev", *, owner=None, region="us-east-1", overwrite=False) -> str:
    """Write one profile; what takes it back."""
    with profiles.editing(where, owner) as edit:
        edit.add(profile, SETTINGS, region, overwrite=overwrite)
        edit.write()
        return edit.undo


def failing(where: ProfilePaths, **options) -> Failure:
    with pytest.raises(Failure) as caught:
        write(where, **options)
    for value in KEYS.values():
        assert value not in str(caught.value)
    return caught.value


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What is written.


def test_a_profile_is_written_to_both_files(tmp_path):
    where = places(tmp_path)

    write(where)

    assert raw_config_parse(str(where.credentials)) == {"dev": KEYS}
    assert load_config(str(where.config))["profiles"] == {"dev": {"region": "us-east-1"}}


def sdk_session(where: ProfilePaths, profile: str, monkeypatch) -> Session:
    """A session of the SDK that reads this profile from these files."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(where.credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(where.config))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    return Session(profile=profile)


@pytest.mark.parametrize("profile", ["dev", "default"])
def test_a_profile_is_what_botocore_uses(tmp_path, monkeypatch, profile):
    where = places(tmp_path)
    write(where, profile, region="eu-central-1")

    session = sdk_session(where, profile, monkeypatch)

    assert session.get_credentials().get_frozen_credentials()[:3] == (KEY, SECRET, TOKEN)
    assert session.get_config_variable("region") == "eu-central-1"


def test_several_profiles_are_written_at_once(tmp_path):
    where = places(tmp_path)

    with profiles.editing(where, None) as edit:
        edit.add("one", {"aws_access_key_id": "1"}, "us-east-1", overwrite=False)
        edit.add("two", {"aws_access_key_id": "2"}, "us-east-2", overwrite=False)
        edit.write()

    assert where.credentials.read_text() == "[one]\naws_access_key_id = 1\n\n[two]\naws_access_key_id = 2\n"
    assert where.config.read_text() == "[profile one]\nregion = us-east-1\n\n[profile two]\nregion = us-east-2\n"
    assert profiles.put_back(edit.undo, None) == ["two", "one"]
    assert list(tmp_path.iterdir()) == []


def test_an_existing_profile_is_replaced_if_that_is_asked_for(tmp_path):
    where = places(tmp_path, OLD_CREDENTIALS, OLD_CONFIG)

    write(where, overwrite=True)

    ours = "".join(f"{name} = {value}\n" for name, value in KEYS.items()).encode()
    assert where.credentials.read_bytes() == (
        b"# mine\n[dev]\n" + ours + b"# caf\xe9\n\n[b]\r\naws_access_key_id=B\r\n"
    )
    assert where.config.read_bytes() == OLD_CONFIG.replace(b"eu-west-1", b"us-east-1")


@pytest.mark.parametrize(
    ("credentials", "config", "said"),
    [
        (OLD_CREDENTIALS, None, "credentials has a section [dev]."),
        (None, OLD_CONFIG, "config has a section [profile dev]."),
    ],
)
def test_an_existing_profile_is_not_replaced_unasked(tmp_path, credentials, config, said):
    where = places(tmp_path, credentials, config)
    before = contents(tmp_path)

    failure = failing(where)

    assert failure.what == "The profile dev is there already."
    assert failure.why.endswith(said)
    assert "overwrite-aws-profile: true" in failure.fix
    assert contents(tmp_path) == before


def test_a_profile_that_was_just_added_is_there_already(tmp_path):
    with profiles.editing(places(tmp_path), None) as edit:
        edit.add("dev", SETTINGS, "us-east-1", overwrite=False)
        with pytest.raises(Failure, match="The profile dev is there already"):
            edit.add("dev", SETTINGS, "us-east-1", overwrite=False)


@pytest.mark.parametrize("data", [b"key = s3cret\n", b"[a]\nb = 1\n[a]\n", b"\xef\xbb\xbf[a]\n"])
@pytest.mark.parametrize("name", ["credentials", "config"])
def test_a_file_that_botocore_cannot_read_is_left_as_it_is(tmp_path, data, name):
    where = places(tmp_path, **{name: data})

    failure = failing(where, overwrite=True)

    assert failure.what == f"{tmp_path}/.aws/{name} cannot be read, so nothing was written to it."
    assert failure.why.startswith("line ")
    assert failure.__cause__ is None
    assert failure.__suppress_context__
    assert contents(tmp_path) == {f".aws/{name}": data}


def test_a_value_that_cannot_stand_in_a_file_is_refused(tmp_path):
    failure = failing(places(tmp_path), region="us-east-1\nrole_arn = x")

    assert failure.what == "The profile dev was not written, because its region cannot stand in a shared file."
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_cannot_stand_in_a_file_is_not_told(tmp_path):
    with profiles.editing(places(tmp_path), None) as edit, pytest.raises(Failure) as caught:
        edit.add("dev", {"aws_secret_access_key": Secret("#s3cret")}, "us-east-1", overwrite=False)

    assert "its aws_secret_access_key cannot stand" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("profile", ["a/b", "", "DEFAULT", "a]\n[b"])
def test_a_name_that_cannot_stand_in_a_file_is_refused(tmp_path, profile):
    assert failing(places(tmp_path), profile=profile).what == f"A profile cannot be named {profile!r}."


def one_place(folder: Path, data: bytes | None = None) -> ProfilePaths:
    """One file for both, with what it holds already."""
    found = places(folder, data)
    return ProfilePaths(found.credentials, found.credentials, {})


@pytest.mark.parametrize("profile", ["dev", "default"])
def test_one_file_for_both_has_the_profile_that_botocore_uses(tmp_path, monkeypatch, profile):
    where = one_place(tmp_path)
    undo = write(where, profile, region="eu-central-1")

    session = sdk_session(where, profile, monkeypatch)

    assert session.get_credentials().get_frozen_credentials()[:3] == (KEY, SECRET, TOKEN)
    assert session.get_config_variable("region") == "eu-central-1"
    assert profiles.put_back(undo, None) == [profile]
    assert list(tmp_path.iterdir()) == []


def test_one_file_under_two_names_is_one(tmp_path):
    (tmp_path / "real" / ".aws").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")

    undo = write(ProfilePaths(tmp_path / "real/.aws/both", tmp_path / "link/.aws/both", {}))

    assert set(raw_config_parse(str(tmp_path / "real/.aws/both"))) == {"dev", "profile dev"}
    assert profiles.put_back(undo, None) == ["dev"]
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("names", [("dev", "one", "two"), ("default", "one", "default"), ("default",) * 3])
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize(
    "data", [None, b"", b"# mine", b"[a]\r\nb = c\r\n", b"[default]\noutput = json\n", OLD_CREDENTIALS + OLD_CONFIG]
)
def test_posts_in_any_order_leave_one_file_for_both_as_it_was(tmp_path, data, order, names):
    where = one_place(tmp_path, data and data.replace(b"OLD\n", b"OLD\nmfa_serial = x\n"))
    before = contents(tmp_path)
    regions = ("us-east-1", "us-east-2", "us-west-1")
    undos = [write(where, name, region=one, overwrite=True) for name, one in zip(names, regions, strict=True)]

    for number in order:
        profiles.put_back(undos[number], None)

    assert contents(tmp_path) == before


def test_the_files_may_be_in_different_folders_that_are_not_there_yet(tmp_path):
    where = ProfilePaths(tmp_path / "a b" / "[c]" / "créd", tmp_path / "x" / "y=z" / "#conf", {})

    undo = write(where)

    assert set(contents(tmp_path)) == {"a b/[c]/créd", "x/y=z/#conf"}
    assert profiles.put_back(undo, None) == ["dev"]
    assert list(tmp_path.iterdir()) == []


# Whose the files are.


def test_only_the_owner_can_read_what_is_made(tmp_path):
    where = places(tmp_path)

    write(where)

    assert (mode(where.credentials), mode(where.config), mode(where.config.parent)) == (0o600, 0o600, 0o700)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    where = places(tmp_path, b"", b"")
    where.credentials.chmod(0o644)

    write(where)

    assert mode(where.credentials) == 0o600


@needs_root
def test_all_that_is_made_belongs_to_the_owner(tmp_path):
    where = ProfilePaths(tmp_path / "a/b/credentials", tmp_path / "a/c/config", {})

    undo = write(where, owner=(1001, 121))
    write(where, "other", owner=(1001, 121))

    made = list(tmp_path.rglob("*"))
    assert len(made) == 5
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1001, 121)}
    profiles.put_back(undo, (1001, 121))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1001, 121)}


@needs_root
def test_without_an_owner_a_file_stays_with_the_one_it_has(tmp_path):
    where = places(tmp_path, b"", b"")
    os.chown(where.config, 1001, 121)

    write(where)

    assert (where.config.stat().st_uid, where.config.stat().st_gid) == (1001, 121)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
def test_what_cannot_be_given_away_is_kept(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fchown", raising(number))

    write(places(tmp_path), owner=(1001, 121))

    assert len(contents(tmp_path)) == 2


def test_an_owner_that_cannot_be_set_for_another_reason_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fchown", raising(errno.EROFS))

    assert "Read-only file system" in failing(places(tmp_path), owner=(1001, 121)).why


def raising(number: int):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_folder_that_another_step_makes_at_the_same_moment_is_not_ours(tmp_path, monkeypatch):
    whole = os.mkdir

    def mkdir(*args, **options):
        whole(*args, **options)
        raise FileExistsError

    monkeypatch.setattr(os, "mkdir", mkdir)

    assert json.loads(write(places(tmp_path)))["folders"] == []


# What is not followed, and not waited for.


@pytest.mark.parametrize("name", ["credentials", "config"])
@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_link_in_place_of_a_file_is_refused(tmp_path, name, target):
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / name).symlink_to(tmp_path / target)

    failure = failing(places(tmp_path))

    assert failure.what == f"{tmp_path}/.aws/{name} cannot hold a profile."
    assert failure.why == "it is a symbolic link, which may lead anywhere."
    assert contents(tmp_path / ".aws") in ({}, {name: b""})
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_link_in_place_of_the_folder_is_refused(tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".aws").symlink_to(tmp_path / target)

    assert failing(places(tmp_path)).why == "it is a symbolic link, which may lead anywhere."
    assert contents(tmp_path) == {}


def test_a_home_behind_a_link_is_the_machines_own_business(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to("disk")

    write(places(tmp_path / "home"))

    assert set(contents(tmp_path / "disk")) == {".aws/credentials", ".aws/config"}


def test_a_link_above_the_folder_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "home").symlink_to("missing")

    assert failing(places(tmp_path / "home")).why == "it is a symbolic link, which may lead anywhere."


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(tmp_path, make):
    where = places(tmp_path, b"")
    make(where.config)

    assert failing(where).why == "it is not a regular file."


def test_a_socket_is_refused(tmp_path):
    where = places(tmp_path, b"")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(where.config))

        assert failing(where).what == "The profile could not be written."


def test_a_file_in_place_of_the_folder_is_a_failure(tmp_path):
    (tmp_path / ".aws").write_bytes(b"")

    failure = failing(places(tmp_path))

    assert failure.why == f"Not a directory ({tmp_path}/.aws/credentials or {tmp_path}/.aws/config)."


# All or nothing.


def failing_at(monkeypatch, name: str, call: int, *, for_good: bool) -> list[int]:
    """Let the system call fail the given time it is made, and from then on if for good; the list grows with calls."""
    whole, calls = getattr(os, name), []

    def fail(*args, **options):
        calls.append(len(calls))
        if calls[-1] == call or (for_good and calls[-1] > call):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(*args, **options)

    monkeypatch.setattr(os, name, fail)
    return calls


@pytest.mark.parametrize(
    ("fault", "for_good"),
    [("write", False), ("write", True), ("fsync", False), ("fsync", True), ("fchmod", False), ("replace", False)],
)
@pytest.mark.parametrize("old", [{}, {"credentials": b""}, {"credentials": OLD_CREDENTIALS, "config": OLD_CONFIG}])
def test_a_write_that_fails_anywhere_leaves_everything_as_it_was(tmp_path, fault, for_good, old):
    where = places(tmp_path, **old)
    for path in tmp_path.rglob("*/*"):
        path.chmod(0o640)
    before = contents(tmp_path)

    for call in count():
        with pytest.MonkeyPatch.context() as patch:
            calls = failing_at(patch, fault, call, for_good=for_good)
            try:
                write(where, overwrite=True)
            except Failure as failure:
                reason = failure.why
            else:
                break
        assert reason.startswith("No space left on device")
        assert contents(tmp_path) == before
        assert {mode(path) for path in tmp_path.rglob("*/*")} <= {0o640}
        assert (tmp_path / ".aws").exists() == bool(old)

    assert len(calls) == call >= 2
    assert len(contents(tmp_path)) == 2


def test_bytes_that_the_disk_did_not_take_are_offered_again(tmp_path, monkeypatch):
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:7]))

    write(places(tmp_path, OLD_CREDENTIALS, OLD_CONFIG), "new")

    assert raw_config_parse(str(tmp_path / ".aws/config"))["profile new"] == {"region": "us-east-1"}


@pytest.mark.parametrize("old", [{}, {"credentials": OLD_CREDENTIALS, "config": OLD_CONFIG}])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, OSError])
def test_a_step_that_fails_after_the_write_leaves_everything_as_it_was(tmp_path, old, error):
    where = places(tmp_path, **old)
    before = contents(tmp_path)

    def fail():
        with profiles.editing(where, None) as edit:
            edit.add("dev", SETTINGS, "us-east-1", overwrite=True)
            edit.write()
            raise error

    with pytest.raises(error):
        fail()

    assert contents(tmp_path) == before
    assert (tmp_path / ".aws").exists() == bool(old)


def test_an_edit_that_is_not_written_changes_nothing(tmp_path):
    with profiles.editing(places(tmp_path), None) as edit:
        edit.add("dev", SETTINGS, "us-east-1", overwrite=False)

    assert list(tmp_path.iterdir()) == []
    assert profiles.put_back(edit.undo, None) == []


# Taking it back.


def test_what_was_made_goes(tmp_path):
    undo = write(places(tmp_path))

    assert profiles.put_back(undo, None) == ["dev"]
    assert list(tmp_path.iterdir()) == []


def test_taking_it_back_twice_does_nothing(tmp_path):
    undo = write(places(tmp_path))
    profiles.put_back(undo, None)

    assert profiles.put_back(undo, None) == []


@pytest.mark.parametrize(
    "old", [{"credentials": b"", "config": b""}, {"credentials": OLD_CREDENTIALS, "config": OLD_CONFIG}]
)
def test_what_was_there_before_comes_back(tmp_path, old):
    where = places(tmp_path, **old)
    undo = write(where, overwrite=True)

    assert profiles.put_back(undo, None) == ["dev"]

    assert contents(tmp_path) == {f".aws/{name}": data for name, data in old.items()}
    assert mode(where.credentials) == 0o600


def test_two_steps_that_write_one_profile_unwind_like_a_stack(tmp_path):
    where = places(tmp_path)
    first = write(where)
    once = contents(tmp_path)
    second = write(where, region="eu-west-1", overwrite=True)

    profiles.put_back(second, None)
    assert contents(tmp_path) == once
    profiles.put_back(first, None)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_was_there_before_stays(tmp_path):
    (tmp_path / ".aws").mkdir(mode=0o700)

    profiles.put_back(write(places(tmp_path)), None)

    assert (tmp_path / ".aws").is_dir()
    assert contents(tmp_path) == {}


def test_a_folder_that_holds_something_else_stays(tmp_path):
    undo = write(places(tmp_path))
    (tmp_path / ".aws" / "sso").mkdir()

    profiles.put_back(undo, None)

    assert [path.name for path in (tmp_path / ".aws").iterdir()] == ["sso"]


def test_what_another_step_has_written_to_our_file_stays(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    write(where, "other")

    assert profiles.put_back(undo, None) == ["dev"]

    assert list(raw_config_parse(str(where.credentials))) == ["other"]
    assert list(raw_config_parse(str(where.config))) == ["profile other"]


@pytest.mark.parametrize("data", [b"", b"[other]\nkey = 1\n"])
def test_a_file_that_has_changed_is_left_alone(tmp_path, data):
    where = places(tmp_path)
    undo = write(where)
    where.credentials.write_bytes(data)

    assert profiles.put_back(undo, None) == ["dev"]

    assert contents(tmp_path) == {".aws/credentials": data}


def test_a_link_in_place_of_our_file_is_left_alone(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    where.credentials.rename(tmp_path / "elsewhere")
    where.credentials.symlink_to(tmp_path / "elsewhere")

    profiles.put_back(undo, None)

    assert where.credentials.is_symlink()
    assert b"[dev]" in (tmp_path / "elsewhere").read_bytes()


def test_a_file_that_is_gone_is_not_missed(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    where.credentials.unlink()
    where.config.unlink()

    assert profiles.put_back(undo, None) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "undo",
    [
        "", "nonsense", "null", "1", "[]", "{}", '"x"', '{"sections": 1, "folders": []}', "[" * 100_000,
        '{"sections": [], "folders": [1]}', '{"sections": [{}], "folders": []}', '{"sections": [1], "folders": []}',
    ],
)  # fmt: skip
def test_a_state_that_makes_no_sense_does_nothing(undo):
    assert profiles.put_back(undo, None) == []


@pytest.mark.parametrize(
    "nonsense",
    [
        {"file": 1},
        {"file": None},
        {"file": "credentials"},
        {"file": "/\0"},
        {"file": "/\ud800"},
        {"section": None},
        {"before": 0},
        {"before": "nonsense"},
        {"before": "[dev]\nkey = \ud800\n"},
        {"joint": []},
        {"more": 1},
    ],
)
def test_a_part_of_the_state_that_makes_no_sense_does_nothing(tmp_path, monkeypatch, nonsense):
    where = places(tmp_path)
    state = json.loads(write(where))
    before = contents(tmp_path)
    monkeypatch.chdir(where.config.parent)
    state["sections"] = [section | nonsense for section in state["sections"]]

    assert profiles.put_back(json.dumps(state), None) == []
    assert contents(tmp_path) == before


def test_a_state_without_a_section_is_warned_of(tmp_path):
    folder = tmp_path / ".aws"
    folder.mkdir(mode=0o700)
    said: list[str] = []

    assert profiles.put_back(json.dumps({"sections": [], "folders": [str(folder)]}), None, warn=said.append) == []
    assert len(said) == 1
    assert folder.exists()


def test_a_file_that_cannot_be_put_back_does_not_keep_the_other_from_it(tmp_path, monkeypatch):
    where = places(tmp_path, b"[a]\n", b"[default]\n")
    undo = write(where)
    failing_at(monkeypatch, "replace", 0, for_good=False)
    said = []

    with pytest.raises(Failure, match="could not be written") as caught:
        profiles.put_back(undo, None, warn=said.append)

    assert len(said) == 1
    assert str(where.config) in said[0]
    assert caught.value.why == f"No space left on device ({where.config})."
    assert where.credentials.read_bytes() == b"[a]\n"
    assert set(contents(tmp_path)) == {".aws/credentials", ".aws/config"}


# Any file at all.


OTHER_FORM = {"default": 'profile  "default"'}


@st.composite
def files(draw) -> bytes:
    """A shared file that botocore reads: sections with settings, some nested, between comments and blank lines."""
    heads = ["a", "b.c", "default", "dev", "profile a", "profile dev", 'profile  "default"', "sso-session s", " x "]
    lines = st.sampled_from(
        [
            b"",
            b"  ",
            b"# caf\xe9 [dev]",
            b"\t; x = 1",
            b"[%]",
            b"region=eu-west-1",
            b"s3 =\n  max = 20\n\n  a = [b]",
        ]
    )
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    found = draw(st.lists(st.sampled_from([b"", b"# c", b"\t"]), max_size=2))
    chosen = draw(st.lists(st.sampled_from(heads), unique=True, max_size=5))
    if "default" in chosen and 'profile  "default"' in chosen:
        chosen.remove("default")
    for head in chosen:
        found.append(f"[{head}]".encode())
        found += [line for line in draw(st.lists(lines, unique=True, max_size=4)) if line != b"[%]"]
    return b"\n".join(found).replace(b"\n", end) + draw(st.sampled_from([b"", end]))


def meaning(path: Path, read=raw_config_parse) -> dict[str, object]:
    """What botocore reads; it is spared the bytes that are not UTF-8, which are in comments."""
    with tempfile.NamedTemporaryFile(buffering=0) as copy:
        copy.write(path.read_bytes().replace(b"\xe9", b"e") if path.exists() else b"")
        return read(copy.name)


@settings(deadline=None)
@given(st.none() | files(), st.none() | files(), st.sampled_from(["dev", "default", "new"]))
def test_other_sections_keep_their_meaning_and_everything_comes_back(credentials, config, profile):
    with tempfile.TemporaryDirectory() as folder:
        where = places(Path(folder), credentials, config)
        before = contents(Path(folder))
        was = [meaning(path) for path in (where.credentials, where.config)]

        undo = write(where, profile, overwrite=True)

        now = [meaning(path) for path in (where.credentials, where.config)]
        own = [profile, "default" if profile == "default" else f"profile {profile}"]
        assert [read.pop(name) for read, name in zip(now, own, strict=True)] == [KEYS, {"region": "us-east-1"}]
        for read, others, name in zip(now, was, own, strict=True):
            assert read == {
                head: values for head, values in others.items() if head not in (name, OTHER_FORM.get(name))
            }
        assert meaning(where.config, load_config)["profiles"][profile] == {"region": "us-east-1"}
        assert profiles.put_back(undo, None) == [profile]
        assert contents(Path(folder)) == before
        assert (Path(folder) / ".aws").exists() == bool(before)


# At the same time.


def test_threads_that_write_at_once_do_not_lose_a_profile(tmp_path):
    where = places(tmp_path, OLD_CREDENTIALS, OLD_CONFIG)
    names = [f"p{number}" for number in range(24)]
    start = threading.Barrier(8)

    def one(chosen):
        start.wait(timeout=30)
        return [write(where, name) for name in chosen]

    with ThreadPoolExecutor(8) as pool:
        undos = [undo for part in pool.map(one, (names[i::8] for i in range(8))) for undo in part]

    assert set(meaning(where.credentials)) == {"dev", "b", *names}
    assert set(meaning(where.config)) == {"profile dev", "default", *(f"profile {name}" for name in names)}

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda undo: profiles.put_back(undo, None)[0], undos)) == sorted(names)
    assert contents(tmp_path) == {".aws/credentials": OLD_CREDENTIALS, ".aws/config": OLD_CONFIG}


def test_steps_that_come_and_go_do_not_take_the_folder_from_each_other(tmp_path):
    where = places(tmp_path)
    start = threading.Barrier(6)

    def come_and_go(number):
        start.wait(timeout=30)
        for _ in range(15):
            assert profiles.put_back(write(where, f"p{number}"), None) == [f"p{number}"]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(come_and_go, range(6)))

    assert set(contents(tmp_path).values()) <= {b""}  # of who came second, the file is not
    assert set(contents(tmp_path)) <= {".aws/credentials", ".aws/config"}


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_folder_that_goes_while_we_wait_for_its_lock_is_made_again(tmp_path, monkeypatch, made_anew):
    where, whole, calls = places(tmp_path), fcntl.flock, []

    def flock(descriptor, operation):
        whole(descriptor, operation)
        calls.append(descriptor)
        if len(calls) == 1:
            where.config.parent.rename(tmp_path / "gone")
            if made_anew:
                where.config.parent.mkdir()

    monkeypatch.setattr(fcntl, "flock", flock)

    write(where)

    assert set(contents(tmp_path)) == {".aws/credentials", ".aws/config"}


def test_two_folders_in_any_order_do_not_lock_each_other_out(tmp_path):
    one, other = tmp_path / "one" / "file", tmp_path / "other" / "file"
    start = threading.Barrier(2)

    def many(given):
        where, name = given
        start.wait(timeout=30)
        for number in range(20):
            write(where, f"{name}{number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(many, [(ProfilePaths(one, other, {}), "a"), (ProfilePaths(other, one, {}), "b")], timeout=60))

    assert len(raw_config_parse(str(one))) == len(raw_config_parse(str(other))) == 40


def test_processes_that_write_at_once_do_not_lose_a_profile(tmp_path):
    where = places(tmp_path)
    program = (
        "import sys; from pathlib import Path; from py_aws_oidc.aws import profiles\n"
        "where = profiles.ProfilePaths(Path(sys.argv[1]), Path(sys.argv[2]), {})\n"
        "for number in range(4):\n"
        "    with profiles.editing(where, None) as edit:\n"
        "        edit.add(sys.argv[3] + str(number), {'aws_access_key_id': 'x'}, 'us-east-1', overwrite=False)\n"
        "        edit.write()\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, where.credentials, where.config, name])
        for name in "abcdef"
    ]

    assert [process.wait(timeout=60) for process in started] == [0] * 6

    names = {f"{name}{number}" for name in "abcdef" for number in range(4)}
    assert set(raw_config_parse(str(where.credentials))) == names
    assert set(load_config(str(where.config))["profiles"]) == names
    assert set(contents(tmp_path)) == {".aws/credentials", ".aws/config"}


def test_a_lock_that_is_never_free_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("py_aws_oidc.aws.locked_files._LOCK_SECONDS", 0.05)
    (tmp_path / ".aws").mkdir()
    holder = os.open(tmp_path / ".aws", os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)

        assert "was locked by another process" in failing(places(tmp_path)).what
    finally:
        os.close(holder)


def test_what_a_killed_step_staged_is_swept_away(tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / ".py-aws-oidc-0123456789abcdef").write_text("secret")

    write(places(tmp_path))

    assert {path.name for path in (tmp_path / ".aws").iterdir()} == {"credentials", "config"}


def test_the_secrets_of_a_profile_that_is_overwritten_are_known(tmp_path):
    where = places(tmp_path, b"[dev]\naws_access_key_id = AKIAOLD\naws_secret_access_key=old/secret\n")

    with profiles.editing(where, None) as edit:
        edit.add("dev", {"aws_access_key_id": "AKIANEW"}, "us-east-1", overwrite=True)

        assert set(edit.kept_secrets) >= {Secret("AKIAOLD"), Secret("old/secret")}


def test_a_file_that_cannot_be_read_any_more_is_warned_of_and_not_said_to_be_clean(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    with where.credentials.open("a") as file:
        file.write("[x]\n[x]\n")
    said = []

    assert profiles.put_back(undo, None, warn=said.append) == []
    assert said[0].startswith(f"The profile dev could not be removed from {where.credentials}: ")


def test_a_file_that_became_a_link_is_warned_of(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    where.credentials.rename(tmp_path / "elsewhere")
    where.credentials.symlink_to(tmp_path / "elsewhere")
    said = []

    assert profiles.put_back(undo, None, warn=said.append) == []
    assert len(said) == 1


def test_a_file_that_is_not_accepted_is_left_alone_and_warned_of(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    before = where.credentials.read_bytes()
    said = []

    def check(path):
        if path == str(where.credentials):
            raise ValueError("it is somewhere else")

    assert profiles.put_back(undo, None, check=check, warn=said.append) == []
    assert said == [f"The profile dev could not be removed from {where.credentials}: it is somewhere else."]
    assert contents(tmp_path) == {".aws/credentials": before}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_posts_in_any_order_leave_no_empty_file(tmp_path, order):
    where = places(tmp_path)
    undos = [write(where, name) for name in ("one", "two", "three")]

    for number in order:
        assert len(profiles.put_back(undos[number], None)) == 1

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("data", [b"", b"\n", b"# mine", b"[a]\nb = c", b"[a]\r\nb = c\r\n"])
def test_posts_in_any_order_leave_a_file_that_was_there_to_the_byte(tmp_path, order, data):
    where = places(tmp_path, data, data)
    undos = [write(where, name) for name in ("one", "two", "three")]

    for number in order:
        profiles.put_back(undos[number], None)

    assert contents(tmp_path) == {".aws/credentials": data, ".aws/config": data}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_posts_in_any_order_bring_back_a_profile_that_several_steps_replaced(tmp_path, order):
    old = (
        OLD_CREDENTIALS.replace(b"OLD\n", b"OLD\nmfa_serial = x\n"),
        OLD_CONFIG.replace(b"; nested", b"output=json"),
    )
    where = places(tmp_path, *old)
    undos = [write(where, region=region, overwrite=True) for region in ("us-east-1", "us-east-2", "us-west-1")]

    for number in order:
        profiles.put_back(undos[number], None)

    assert contents(tmp_path) == dict(zip([".aws/credentials", ".aws/config"], old, strict=True))


def test_a_section_that_another_step_has_written_anew_is_left_alone_and_warned_of(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    where.credentials.write_text("[dev]\ncredential_process = mine\n")
    said = []

    assert profiles.put_back(undo, None, warn=said.append) == []
    assert contents(tmp_path) == {".aws/credentials": b"[dev]\ncredential_process = mine\n"}
    assert len(said) == 1
    assert str(where.credentials) in said[0]


def test_a_section_to_which_another_step_has_added_goes(tmp_path):
    where = places(tmp_path)
    undo = write(where)
    with where.config.open("a") as file:
        file.write("output = json\n")

    assert profiles.put_back(undo, None) == ["dev"]
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_known_whose_credentials_come_back_the_section_stays_with_a_warning(tmp_path):
    where = places(tmp_path, OLD_CREDENTIALS, OLD_CONFIG)
    first, second = write(where, overwrite=True), write(where, region="eu-west-3", overwrite=True)
    said = []

    profiles.put_back(first, None, warn=said.append)
    profiles.put_back(second, None, warn=said.append)

    assert said
    assert all("another step has changed it since" in warning for warning in said)


def test_a_step_that_was_killed_before_it_wrote_needs_nothing_and_no_warning(tmp_path):
    where = places(tmp_path, OLD_CREDENTIALS, OLD_CONFIG)
    with profiles.editing(where, None) as edit:
        edit.add("dev", SETTINGS, "us-east-1", overwrite=True)
    said = []

    assert profiles.put_back(edit.undo, None, warn=said.append) == []
    assert said == []
    assert contents(tmp_path) == {".aws/credentials": OLD_CREDENTIALS, ".aws/config": OLD_CONFIG}


def test_a_folder_that_was_opened_to_others_since_stays(tmp_path):
    undo = write(places(tmp_path))
    (tmp_path / ".aws").chmod(0o755)

    profiles.put_back(undo, None)

    assert contents(tmp_path) == {}
    assert (tmp_path / ".aws").exists()
