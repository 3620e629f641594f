import html
import re

from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.explain.markdown import code, cut, fenced, text


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


PAGE = '### One\n\n1. **a**\n   - why: b\n| x | y |\n<details open>\n\n```json\n{\n  "a": 1\n}\n```\n\n</details>'


@given(st.integers(min_value=0, max_value=300))
def test_a_page_that_is_cut_has_whole_parts_only(most):
    page = cut(PAGE * 2, most)

    assert page == PAGE * 2 or page.endswith("GitHub shows at most 1 MiB of a step's summary.**")
    assert page.count("```") % 2 == 0
    assert len(page.encode()) <= max(most, len(cut(PAGE * 2, 0)))
    assert (PAGE * 2).startswith(page.partition("\n\n**The rest")[0])


def test_a_page_that_is_short_enough_is_whole():
    assert cut("\udc80", 6) == "\udc80"
    assert cut("\udc80", 5).endswith("summary.**")


def test_inline_code_is_cut():
    assert code("x" * 5_000_000) == "<code>&#40;cut&#58; 5000000 characters in all&#41;</code>"
