"""How messages quote texts."""

from __future__ import annotations

from hf_arae.utils.escapes import excerpt


def test_a_quoted_text_is_short_and_closed():
    assert excerpt("a 'b'") == repr("a 'b'")
    assert excerpt("word " * 100, 20) == "'word word word ...'"
