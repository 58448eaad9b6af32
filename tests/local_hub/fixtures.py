"""The fixture `local_hub`; tests/conftest.py imports it."""

import secrets
from collections.abc import Iterator

import pytest

from .environment import take_over
from .hub import LocalHub


@pytest.fixture
def local_hub(tmp_path) -> Iterator[LocalHub]:
    """A local Hub that this process uses, with alice logged in and an empty cache. See the package's docstring."""
    with LocalHub() as hub:
        # New tokens for every test: the client remembers whose a token is.
        hub.add_user("alice", f"hf_alice_{secrets.token_hex(8)}")
        hub.add_user("bob", f"hf_bob_{secrets.token_hex(8)}", role="read")
        with take_over(hub.url, tmp_path / "hf_home", hub.token("alice")):
            yield hub
        assert not hub.errors, hub.errors[0]
