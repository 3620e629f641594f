import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.github.commands import Log
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
    written = logged(lambda log: log.error("first\nsecond: 100%", title="a, b: c"))

    assert written == "::error title=a%2C b%3A c::first%0Asecond: 100%25\n"


def test_a_warning_is_one_line_with_its_title():
    assert logged(lambda log: log.warning("look\nout", title="t")) == "::warning title=t::look%0Aout\n"


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
    (line,) = logged(lambda log: log.warning(text, title=title)).removesuffix("\n").split("\n")

    found = parse(line)

    assert found is not None
    assert (found.name, found.data, found.properties["title"]) == ("warning", text, title)


@given(st.text())
def test_the_runner_finds_no_command_in_what_others_said(text):
    for line in re.split(r"\r\n|\r|\n", logged(lambda log: log.info(text))):
        assert parse(line) is None
