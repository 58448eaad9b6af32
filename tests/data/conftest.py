"""What the tests of loading share."""

import pytest


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """A cache of `datasets` for each test."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
