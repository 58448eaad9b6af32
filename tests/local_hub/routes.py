"""The table of routes, and what a route gets to see of its request."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .accounts import Account, may_read, not_found, require_write
from .replies import Refusal, Reply
from .repository import Commit, Repository

if TYPE_CHECKING:
    from .hub import LocalHub

TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}
API = "/api/(?P<kind>models|datasets|spaces)/(?P<repo_id>[^/]+/[^/]+)"
PAGE = "/(?:(?P<kind>datasets|spaces)/)?(?P<repo_id>[^/]+/[^/]+)"
REVISION = "(?P<revision>[^/]+)"


@dataclass
class Call:
    """One request on its way through a route.

    Attributes:
        query: Each parameter with all its values.
        parts: What the pattern of the route named in the path, unquoted; None where an optional part is absent.
        named_files: Paths that the request speaks of, for the log.
    """

    hub: "LocalHub"
    method: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    account: Account | None
    parts: dict[str, str | None] = field(default_factory=dict)
    named_files: list[str] = field(default_factory=list)

    def json(self) -> dict:
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, f"The body is not JSON: {error}") from error

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")

    def repository(self, *, write: bool = False) -> Repository:
        """The repository named in the path, if it is there for this account."""
        repo = self.hub.repositories.get((TYPES[self.parts["kind"] or "models"], self.parts["repo_id"]))
        if repo is None or not may_read(self.account, repo):
            raise not_found(self.account)
        if write:
            require_write(self.account, repo.owner)
        return repo

    def commit(self, repo: Repository) -> Commit:
        """The commit of the revision named in the path, or that of main."""
        revision = self.parts.get("revision") or "main"
        if commit := repo.find(revision):
            return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


Route = Callable[[Call], Reply]
_ROUTES: list[tuple[str, re.Pattern, Route]] = []


def route(methods: str, pattern: str) -> Callable[[Route], Route]:
    """Enters a function into the table; `methods` such as "GET HEAD", `pattern` of the whole path."""

    def enter(function: Route) -> Route:
        _ROUTES.extend((method, re.compile(pattern), function) for method in methods.split())
        return function

    return enter


def answer(call: Call, path: str) -> Reply:
    """Finds the route of a path (still quoted) and takes it."""
    for method, pattern, function in _ROUTES:
        match = pattern.fullmatch(path)
        if match and method == call.method:
            call.parts = {name: unquote(value) if value else None for name, value in match.groupdict().items()}
            return function(call)
    for pattern in (API, PAGE):
        match = re.match(pattern, path)
        if match and (pattern == API or "/resolve/" in path):
            call.parts = {name: unquote(value) if value else None for name, value in match.groupdict().items()}
            call.repository()
            raise Refusal(501, f"The local hub does not serve {call.method} {path}")
    if re.match("/api/(models|datasets|spaces)/|.*/resolve/", path):
        raise not_found(call.account)  # an id without a namespace
    raise Refusal(404, "Sorry, we can't find the page you are looking for.")
