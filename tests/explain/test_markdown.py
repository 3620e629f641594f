import html
import re

from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.explain.markdown import code, fenced, text


@given(st.text())
def test_inline_code_has_no_character_that_is_markup(value):
    shown = code(value).removeprefix("<code>").removesuffix("</code>")

    assert re.fullmatch(r"(?:[0-9A-Za-z /-]|&#\d+;)*", shown)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_inline_code_shows_the_value(value):
    assert html.unescape(code(value)) == f"<code>{value}</code>"


def test_inline_code_stays_on_its_line():
    assert code("a\nb") == "<code>a&#92;nb</code>"


@given(st.text())
def test_a_block_ends_where_it_should(value):
    fence = re.match("`+", fenced(value, "json"))[0]

    assert fence not in value
    assert fenced(value, "json") == f"{fence}json\n{value}\n{fence}"


@given(st.text())
def test_words_have_no_markup_of_their_own(value):
    assert not set("<>|*_`[]#@!&\\") & set(re.sub(r"&#\d+;|&nbsp;|<br>", "", text(value)))
    assert not re.search(r"^\s*[-+*]", text(value), re.MULTILINE)


def test_words_keep_their_lines():
    assert text("a\n- b\n  c") == "a<br>\n&#45; b<br>\n&nbsp;&nbsp;c"
