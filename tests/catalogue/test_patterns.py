"""What a domain pattern may be, and which names it reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalogue.patterns import fold_name, parse_pattern


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("Facebook.com", 'write "facebook.com"'),
        ("=WWW.Facebook.com", 'write "=www.facebook.com"'),
        ("facebook.com.", 'write "facebook.com"'),
        (".facebook.com", 'write "facebook.com"'),
        ("https://facebook.com/x", 'write "facebook.com"'),
        ("bücher.example", 'write "xn--bcher-kva.example"'),
        ("face book.com", "keep letters"),
        ("a..example.com", "empty label"),
        ("*-*.example.com", "keep one"),
        ("com", "two labels"),
        ("*.com", "two labels"),
        ("example.*", "two labels"),
        ("192.0.2.1", "under addresses"),
        ("facebook.com:443", "keep letters"),
        ("=", "empty label"),
        ("x" * 64 + ".example.com", "63"),
        ("a." * 126 + "com", "253"),
    ],
)
def test_a_pattern_that_is_none_is_refused_with_the_mend(text, mend):
    with pytest.raises(ValueError) as refused:
        parse_pattern(text)
    assert mend in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["facebook.com", "=m.me", "fbcdn-*.akamaihd.net", "instagram.*.fna.fbcdn.net", "a_b.x.y"]
)
def test_the_contracts_patterns_are_kept_as_written(text):
    assert parse_pattern(text).text == text


LABEL = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "a*b"])
PATTERN = st.builds(
    lambda exact, head: parse_pattern("=" * exact + ".".join([*head, "x", "y"])),
    st.booleans(),
    st.lists(LABEL, max_size=2),
)
NAME = st.lists(st.sampled_from(["a", "b", "ab", "aab", "abb", "axb", "c"]), max_size=3).map(
    lambda head: (*head, "x", "y")
)


@given(PATTERN, PATTERN, st.lists(NAME, min_size=1, max_size=20))
def test_a_pattern_that_covers_another_matches_all_its_names(wide, narrow, names):
    if wide.covers(narrow):
        for name in names:
            assert wide.matches(name) or not narrow.matches(name)


@given(PATTERN, PATTERN, st.lists(NAME, min_size=1, max_size=20))
def test_patterns_that_do_not_tie_never_leave_a_name_undecided(one, other, names):
    if one.strength == other.strength and not one.ties_with(other):
        assert not any(one.matches(name) and other.matches(name) for name in names)


@given(PATTERN, PATTERN)
def test_cover_is_told_by_the_names_made_from_the_narrow_pattern(wide, narrow):
    filled = [tuple(label.replace("*", star) for label in narrow.labels) for star in ("", "q", "zzz")]
    deeper = [] if narrow.exact else [("q", *name) for name in filled]
    assert wide.covers(narrow) == all(wide.matches(name) for name in filled + deeper)


@pytest.mark.parametrize(
    "typed", ["WWW.Facebook.COM", "www.facebook.com.", "www.facebook.com:443", " www.facebook.com "]
)
def test_a_typed_name_is_folded(typed):
    assert fold_name(typed) == ("www", "facebook", "com")
