import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.github.commands import Log
from py_aws_oidc.quoting import visible
from py_aws_oidc.secret import Secret
from sandbox.runner.commands import parse


def logged(do) -> str:
    """What reaches the runner when this is done with a log."""
    stream = io.StringIO()
    do(Log(stream))
    return stream.getvalue()


def test_a_mask_hands_the_secret_to_the_runner():
    assert logged(lambda log: log.mask(Secret("s3cret"))) == "::add-mask::s3cret\n"


def test_a_secret_of_several_lines_is_one_mask():
    assert logged(lambda log: log.mask(Secret("a\r\nb%"))) == "::add-mask::a%0D%0Ab%25\n"


@pytest.mark.parametrize("nothing", ["", " ", "\n"])
def test_nothing_is_no_secret_to_mask(nothing):
    assert logged(lambda log: log.mask(Secret(nothing))) == ""


def test_an_error_is_one_line_with_its_title():
    written = logged(lambda log: log.error(["first", "second: 100%"], title="a, b: c"))

    assert written == "::error title=a%2C b%3A c::first%0Asecond: 100%25\n"


def test_a_warning_is_one_line_with_its_title():
    assert logged(lambda log: log.warning(["look", "out"], title="t")) == "::warning title=t::look%0Aout\n"


def test_a_debug_line_is_one_command_whatever_is_in_it():
    assert logged(lambda log: log.debug("a\n::error::b 100%")) == "::debug::a\\n::error::b 100%25\n"


def test_a_debug_line_masks_the_accounts_that_must_not_be_seen():
    stream = io.StringIO()

    Log(stream, hides_accounts=True).debug("in 123456789012")

    assert stream.getvalue() == "::add-mask::123456789012\n::debug::in 123456789012\n"


def test_a_text_of_one_line_stays_on_it():
    assert logged(lambda log: log.notice("look\nout", title="a\nb")) == "::notice title=a\\nb::look\\nout\n"


@pytest.mark.parametrize(
    "text",
    [
        "::add-mask::a",
        "  ::error::x",
        "ok\n::set-env name=A::b",
        "ok\r::stop-commands::x",
        "text ##[error]x",
        "::",
        "\u2003::debug::x",
    ],
)
def test_text_of_others_holds_no_command(text):
    for line in logged(lambda log: log.info(text)).splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_plain_text_stays_as_it_is():
    assert logged(lambda log: log.info("arn:aws:iam::123456789012:role/x #1")) == (
        "arn:aws:iam::123456789012:role/x #1\n"
    )


@given(st.text())
def test_no_text_ends_an_annotation_early(text):
    written = logged(lambda log: log.error(text, title=text))

    assert written.count("\n") == 1
    assert "\r" not in written


TITLES = st.sampled_from(["No AWS credentials", "a, b: c 100%", "x%3Ay"])


@given(st.text(), TITLES)
def test_the_runner_reads_an_annotation_as_it_was_meant(text, title):
    (line,) = logged(lambda log: log.warning([text, "end"], title=title)).removesuffix("\n").split("\n")

    found = parse(line)

    assert found is not None
    assert found.data == f"{visible(text)}\nend"
    assert (found.name, found.properties["title"]) == ("warning", title)


LOUD = (
    "a\u202eb",
    "a\u2066b\u2069",
    "a\x1b[31mb",
    "a\u200bb\u00ad",
    "a\u2028b\u2029c",
    "a\rb",
    "a\x00\x85b",
    "a\u3164\ufe0f\u2800b",
)
WAYS = {
    "error": lambda log, text: log.error(text, title=text),
    "warning": lambda log, text: log.warning([text, text], title=text),
    "notice": lambda log, text: log.notice(text, title=text),
    "info": lambda log, text: log.info(text),
    "group": lambda log, text: log.group(text).__enter__(),
}


@pytest.mark.parametrize("text", LOUD, ids=ascii)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_printed_is_visible(way, text):
    written = logged(lambda log: WAYS[way](log, text))

    (line,) = written.removesuffix("::endgroup::\n").removesuffix("\n").split("\n")
    assert line.isprintable()
    assert not set("\u3164\ufe0f\u2800") & set(written)
    assert "b" in written


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", ["word " * 1_000_000, "a" * 5_000_000], ids=["words", "one word"])
def test_whatever_is_printed_is_cut(way, text):
    written = logged(lambda log: WAYS[way](log, text))

    assert len(written) < 100_000
    assert "5000000 characters in all" in written


def test_an_annotation_of_many_lines_is_cut():
    written = logged(lambda log: log.error(["a line"] * 100_000, title="t"))

    assert len(written) < 100_000
    assert written.endswith(" more lines)\n")


def test_an_account_that_nobody_is_to_see_is_masked_before_it_is_printed():
    stream = io.StringIO()
    log = Log(stream, hides_accounts=True)

    log.info("of 111111111111, of 222222222222 and of 111111111111")
    log.info("of 222222222222")
    log.warning("in 333333333333", title="444444444444")

    masks = [line for line in stream.getvalue().splitlines() if line.startswith("::add-mask::")]
    assert masks == [f"::add-mask::{digit * 12}" for digit in "1234"]
    for digit in "1234":
        assert stream.getvalue().index(digit) == stream.getvalue().index(f"::add-mask::{digit * 12}") + 12


@given(st.text())
def test_the_runner_finds_no_command_in_what_others_said(text):
    for line in re.split(r"\r\n|\r|\n", logged(lambda log: log.info(text))):
        assert parse(line) is None
