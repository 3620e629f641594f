import re
import tempfile

import pytest
from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from py_aws_oidc.aws import shared_files

KEYS = {"aws_access_key_id": "ASIAEXAMPLE", "aws_secret_access_key": "a/b+c=", "aws_session_token": "to=ken=="}
# What botocore, or another SDK, takes for the section [dev] or [profile dev].
CREDENTIALS_HEADS = ("dev", " dev", "dev\t")
CONFIG_HEADS = ("profile dev", "profile  dev", 'profile "dev"', "profile\t'dev' ", " profile dev")


def undone(text: str, name: str, change: shared_files.Change, *, made: bool = False) -> shared_files.Undone:
    """The text without a change that is still in it."""
    found = shared_files.put_back(
        text, name, change.before, change.joint, fingerprint=change.fingerprint, made=made
    )
    assert found is not None
    return found


def as_botocore_reads(text: str) -> dict[str, dict[str, object]]:
    """The sections of a text; every byte of it that is not UTF-8 must be in a comment."""
    with tempfile.NamedTemporaryFile(buffering=0) as file:
        file.write(text.encode(errors="replace"))
        return raw_config_parse(file.name)


@st.composite
def texts(draw, own_heads):
    """A text in three parts: what is before a section of ours, that section (or nothing), what is after it."""
    indent = draw(st.sampled_from(["", "", "  ", "\t"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    names = st.text("abc-XYZ_09.", min_size=1, max_size=6).filter(lambda name: name not in {"dev", "DEFAULT"})
    spaces = st.sampled_from(["", " ", "  ", "\t"])
    values = st.text(
        st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=["C", "Z"]), max_size=9
    )
    fill = st.lists(
        st.one_of(
            st.just(""),
            spaces,
            st.builds("{}# {}".format, spaces, values),
            st.builds("{}; [{}]".format, spaces, values),
            st.just("# \udcff\udc80"),
        ),
        max_size=3,
    )

    def section(head):
        lines = [f"{indent}[{head}]{draw(spaces)}"]
        for number in range(draw(st.integers(0, 3))):
            if draw(st.booleans()):
                lines.append(f"{indent}key{number}{draw(spaces)}{draw(st.sampled_from('=:'))} {draw(values)}")
            else:
                lines.append(f"{indent}s3{number} =")
                lines += [
                    f"{indent}  {k}{draw(spaces)}={draw(spaces)}{v}" for k, v in {"max": "20", "[x]": "1"}.items()
                ]
            lines += draw(fill)
        last = max(index for index, line in enumerate(lines) if line.strip() and line.strip()[0] not in "#;")
        return lines[: last + 1], lines[last + 1 :]

    others = draw(st.lists(st.one_of(names, names.map("profile {}".format)), unique=True, max_size=4))
    place = draw(st.integers(0, len(others)))
    before, own, after = draw(fill), [], []
    for other in others[:place]:
        lines, rest = section(other)
        before += lines + rest
    if draw(st.booleans()):
        own, after = section(draw(st.sampled_from(own_heads)))
    for other in others[place:]:
        lines, rest = section(other)
        after += lines + rest
    parts = ["".join(line + end for line in lines) for lines in (before, own, after)]
    if draw(st.booleans()):
        last = max((index for index in range(3) if parts[index]), default=0)
        parts[last] = parts[last].removesuffix(end)
    return tuple(parts) if parts[1] else ("".join(parts), "", "")


@settings(deadline=None)
@given(texts(CREDENTIALS_HEADS))
def test_in_the_credentials_file_only_the_own_section_changes(parts):
    assert_only_the_own_section_changes(parts, "dev", CREDENTIALS_HEADS)


@settings(deadline=None)
@given(texts(CONFIG_HEADS))
def test_in_the_config_file_only_the_own_section_changes(parts):
    assert_only_the_own_section_changes(parts, "profile dev", CONFIG_HEADS)


def assert_only_the_own_section_changes(parts, name, own_heads):
    text = "".join(parts)
    before, own, after = parts

    change = shared_files.with_section(text, name, KEYS)

    assert change.text.startswith(before)
    assert change.text.endswith(after)
    assert change.before == (own or None)
    assert undone(change.text, name, change).text == text
    was, now = as_botocore_reads(text), as_botocore_reads(change.text)
    assert now.pop(name) == KEYS
    assert now == {head: values for head, values in was.items() if head not in own_heads}


@st.composite
def wild_texts(draw):
    """Texts that make little sense, so that reading them alike is not a matter of course."""
    fragments = [
        "", "[a]", "[b]", "[dev]", "[ dev ]", "[profile dev]", "[DEFAULT]", "[]", "[a", "[a]]", "[a] # [b]", "a = 1",
        "b=2", "c: 3", "d", "e =", "= f", "# a", "; b", "[x] = 1", "\x0b", "\x85", "\u2028", "\u00a0x = 1", "\x1c[a]",
        "\ufeff[a]", "profile dev", "[profile 'dev]", "[sso-session dev]",
    ]  # fmt: skip
    line = st.tuples(
        st.sampled_from(["", "", " ", "  ", "\t", "\xa0"]),
        st.sampled_from(fragments),
        st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    ).map("".join)
    return "".join(draw(st.lists(line, max_size=9))) + draw(st.sampled_from(["", "g = 1", "  ", "# x"]))


@settings(deadline=None)
@given(wild_texts())
@example("[a]\nx = 1\n  [dev]\n")  # a head that is a part of a value
@example("[dev]\n  x = 1\n  [a]\n  y = 2\n")  # a head that must not become a part of a value
@example("[a]\r[dev]\rx=1\r[b]")
def test_a_text_is_read_as_botocore_reads_it(text):
    try:
        was = as_botocore_reads(text)
    except ConfigParseError:
        with pytest.raises(ValueError, match=r"line \d|nested"):
            shared_files.with_section(text, "dev", KEYS)
        return
    if sum(head.strip() == "dev" for head in was) > 1:
        with pytest.raises(ValueError, match="more than once"):
            shared_files.with_section(text, "dev", KEYS)
        return

    change = shared_files.with_section(text, "dev", KEYS)

    now = as_botocore_reads(change.text)
    assert now.pop("dev").items() >= KEYS.items()  # [DEFAULT] adds to every section
    assert now == {head: values for head, values in was.items() if head.strip() != "dev"}
    assert undone(change.text, "dev", change).text == text


@settings(deadline=None)
@given(st.text(max_size=12), st.text(max_size=12).filter(shared_files.may_be_named))
def test_what_may_be_set_and_named_is_read_back(value, profile):
    if not shared_files.may_be_set(value):
        return

    credentials = shared_files.with_section("", shared_files.credentials_section(profile), {"key": value}).text
    config = shared_files.with_section("", shared_files.config_section(profile), {"key": value}).text

    assert as_botocore_reads(credentials) == {profile: {"key": value}}
    assert list(as_botocore_reads(config)) == [profile if profile == "default" else f"profile {profile}"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " a",
        "a ",
        "a\nb",
        "a\rb",
        "a\x00",
        "a\u2028b",
        "a\u00a0b",
        "\udcff",
        "#a",
        ";a",
        '"a"',
        "'a",
        "a #b",
        "a ;",
    ],
)
def test_a_value_that_sdks_read_differently_is_refused(value):
    assert not shared_files.may_be_set(value)


@pytest.mark.parametrize("value", ["a", "a b", "a#b;c", 'a"b', "a=b==", "[a]", "é"])
def test_a_plain_value_is_taken(value):
    assert shared_files.may_be_set(value)


@pytest.mark.parametrize(
    "profile", ["", " ", "a b", "a\n", "[a", "a]", "a/b", "a\\b", "'a'", 'a"', "a#", "a;", "é", "DEFAULT", "`a`"]
)
def test_a_name_that_sdks_read_differently_is_refused(profile):
    assert not shared_files.may_be_named(profile)


@pytest.mark.parametrize("profile", ["dev", "default", "profile", "a.b-c_d@e:f+g%h", "Default", "1"])
def test_a_plain_name_is_taken(profile):
    assert shared_files.may_be_named(profile)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nk=1\n[a]\n", "line 3 begins a section for the second time"),
        ("[a]\nk=1\n# x\nk=2\n", "line 4 makes a setting for the second time in its section"),
        ("# x\ns3cret=1\n", "line 2 stands before the first section"),
        ("[a]\n\ns3cret\ns3cret\n", "line 3 is neither a setting nor the head of a section"),
        ("[a]\nk =\n  s3cret\n", "a nested setting has no equals sign"),
        ("[dev]\n[ dev]\n", "the section [dev] is there more than once"),
        ("[dev]\nk=1\n[dev]\n", "line 3 begins a section for the second time"),
    ],
)
def test_what_botocore_cannot_read_is_told_without_its_words(text, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        shared_files.has(text, "dev")

    assert str(caught.value) == said
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["[default]\n[profile default]\n", '[profile "dev"]\n[profile dev]\n'])
def test_two_heads_that_name_one_profile_are_refused(text):
    name = "default" if "default" in text else "profile dev"

    with pytest.raises(ValueError, match=rf"the section \[{name}\] is there more than once"):
        shared_files.with_section(text, name, {})


def test_a_head_with_an_open_quote_names_no_profile():
    assert not shared_files.has("[profile 'dev]\n", "profile dev")


def test_a_change_does_not_spell_what_it_holds():
    change = shared_files.with_section("[dev]\nkey = s3cret\n", "dev", {"key": "s3cret"})

    assert "s3cret" not in repr(change)


def test_a_new_section_stands_at_the_end_after_a_blank_line():
    assert shared_files.with_section("[a]\nx = 1\n", "b", {"y": "2"}).text == "[a]\nx = 1\n\n[b]\ny = 2\n"


@pytest.mark.parametrize("text", ["[a]\nx = 1\n\n", "[a]\nx = 1\n  \n"])
def test_a_blank_line_that_is_there_is_enough(text):
    assert shared_files.with_section(text, "b", {"y": "2"}).text == text + "[b]\ny = 2\n"


@pytest.mark.parametrize("text", ["[a]\nx = 1", "[a]\nx = 1\n # c"])
def test_a_last_line_without_an_end_gets_one(text):
    assert shared_files.with_section(text, "b", {"y": "2"}).text == text + "\n\n[b]\ny = 2\n"


def test_an_empty_file_gets_the_section_alone():
    assert shared_files.with_section("", "b", {"y": "2"}).text == "[b]\ny = 2\n"


def test_lines_end_as_they_do_in_the_file():
    assert shared_files.with_section("[a]\r\n", "b", {"y": "2"}).text == "[a]\r\n\r\n[b]\r\ny = 2\r\n"


def test_the_comment_that_leads_up_to_the_next_section_stays():
    text = "[dev]\nold = 1\n# of dev\nolder = 2\n\n# of b\n[b]\n"

    assert shared_files.with_section(text, "dev", {"y": "2"}).text == "[dev]\ny = 2\n\n# of b\n[b]\n"


def test_a_section_goes_also_when_others_have_written_after_it():
    first = shared_files.with_section("[a]", "dev", {"x": "1"})
    second = shared_files.with_section(first.text, "b", {"y": "2"})

    assert undone(second.text, "dev", first).text == "[a]\n[b]\ny = 2\n"


def test_a_section_comes_back_also_when_others_have_written_after_it():
    first = shared_files.with_section("[dev]\nold = 1", "dev", {"x": "1"})
    second = shared_files.with_section(first.text, "b", {"y": "2"})

    assert undone(second.text, "dev", first).text == "[dev]\nold = 1\n[b]\ny = 2\n"


def test_a_section_that_is_gone_cannot_be_put_back():
    assert shared_files.put_back("[a]\n", "dev", None, "", fingerprint="") is None


def test_what_could_not_be_read_afterwards_is_not_put_back():
    with pytest.raises(ValueError, match="neither a setting"):
        shared_files.put_back("[dev]\n", "dev", "[dev]\nnonsense\n", "", fingerprint="")


@pytest.mark.parametrize(
    "lines",
    [
        "\naws_secret_access_key = {}",
        " # {}",
        "]  ; {}",
        "\naws_secret_access_key={}",
        "\naws_secret_access_key: {}",
        "\naws_secret_access_key\t:\t{}",
        "\nAWS_SECRET_ACCESS_KEY = {}",
        "\nAws_Session_Token:{}",
        "\naws_secret_access_key =\n  a = {}",
        "\naws_secret_access_key = a\n  {}",
        "\naws_secret_access_key = a\n\t# {}\n\tb",
        "\naws_secret_access_key = first {}",
        "\naws_secret_access_key = first # {}",
        "\naws_secret_access_key = '{}'",
        "\ncredential_process = tool --token {}",
        "\ncredential_process = tool --token={} --json",
        "\ncredential_process = tool '--token' \"{}\"",
        "\nexternal_id = {}",
        "\nendpoint_url = https://user:{}@host",
        "\n# {}",
        "\n;{}",
        "\n# aws_secret_access_key = {}",
        "\n# region = eu-west-1 {}",
        "\nregion = eu-west-1 # {}",
        "\nregion = eu-west-1\n  {}",
        "\ns3 =\n  max_queue_size = 1 {}\n  a = {}",
        "\nservices =\n  sts =\n    key = {}",
    ],
)
@pytest.mark.parametrize(
    "secret", ["wJalrXUtnFEMI/K7MDENG", "hunter2", "p#w;x=y:z", 'q"uo\\te', "caf\xe9-\u2028-1"]
)
def test_no_value_of_a_section_is_shown_however_it_is_spelled(lines, secret):
    shown = f"[dev]{lines.format(secret, secret)}\nlast = 1\n"
    masks = set(shared_files.secrets(shown))

    for mask in sorted(masks, key=len, reverse=True):
        shown = shown.replace(mask, "***")

    assert secret not in shown


@pytest.mark.parametrize(
    "lines",
    [
        "region = us-east-1\noutput = json\nretry_mode = adaptive",
        "s3 =\n  addressing_style = path\n  max_queue_size = 1000\n  use_accelerate_endpoint = true",
        "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base",
        "some_switch = true\nsome_number = 12345\nsome = x",
        "# region = us-east-1\n# production\n; of\n#",
    ],
)
def test_words_that_are_no_secrets_are_not_masked(lines):
    assert list(shared_files.secrets(f"[dev]\n{lines}\n")) == []


def test_a_key_is_masked_by_itself_too():
    section = "[dev]\naws_access_key_id = AKIAEXAMPLE1 ; mine\ncredential_process = x --token s3cr3t-token\n"

    assert {"AKIAEXAMPLE1", "s3cr3t-token"} <= set(shared_files.secrets(section))
