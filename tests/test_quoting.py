import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.quoting import joined, looks_secret, quoted, shown, visible, was_changed

BASE64 = st.text(st.sampled_from("ABCXYZabcxyz0189+/"), min_size=38, max_size=400)
LONG = st.text(st.sampled_from("ab \n\u202e"), max_size=60)


@given(st.text())
def test_what_is_visible_stays_as_it_is(text):
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_what_is_visible_is_one_line(text):
    assert visible(text).isprintable()


def test_a_text_of_any_language_is_visible():
    assert visible("Größe 日本 é e\u0301 🙂") == "Größe 日本 é e\u0301 🙂"


@given(LONG, st.integers(min_value=1, max_value=40))
def test_a_text_is_cut_at_a_space_so_that_no_part_of_a_word_is_left(text, most):
    line = shown(text, most)

    kept = line.partition(f"(cut: {len(text)} characters in all)")[0].removesuffix(" ... ")
    assert len(kept) <= most
    assert visible(text).startswith(kept)
    assert kept == visible(text) or visible(text)[len(kept) :].startswith(" ") or not kept


@given(LONG, st.integers(min_value=1, max_value=40))
def test_what_was_cut_or_spelt_out_can_be_told(text, most):
    assert was_changed(shown(text, most)) or shown(text, most) == text


@given(st.lists(LONG), st.integers(min_value=1, max_value=100))
def test_lines_that_are_joined_stay_lines(lines, most):
    text = joined(lines, most)

    assert text.count("\n") <= max(0, len(lines) - 1)
    assert len(text) <= most + 100


def test_how_many_lines_are_left_out_is_told():
    assert joined(["abc"] * 5, 7) == "abc\nabc\n... (cut: 3 more lines)"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3000))
def test_a_quoted_text_is_shown_whole_or_not_at_all(text):
    assert quoted(text) in {repr(text), f"a value of {len(text)} characters"}


@given(st.text(":, =\"'"), BASE64, st.text(":, =\"'"))
def test_a_text_with_a_key_or_a_session_token_in_it_is_not_shown(before, middle, after):
    text = f"{before}{middle}aB{after}"

    assert quoted(text) == f"a value of {len(text)} characters"


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
        "Bearer eyJhbGciOiJSUzI1NiJ9",
        "ghp_" + "a1B2" * 9,
        "github_pat_11AAAAAAA",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_a_token_looks_secret(text):
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::123456789012:role/" + "ProductionDeployment/" * 5,
        "a" * 64,
        "0123456789abcdef" * 4,
        "us-east-1",
        "AKIAIOSFODNN7EXAMPLE",
        "",
    ],
)
def test_an_arn_a_hash_and_a_name_do_not_look_secret(text):
    assert not looks_secret(text)
