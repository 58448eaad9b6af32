"""What a route answers, and the refusals that the client turns into its exceptions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass
class Reply:
    """An answer.

    Attributes:
        body: The bytes of the body; of an answer to HEAD, only their number is told.
        cut: If not None, the connection breaks after so many bytes of the body.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


def as_json(data: object, status: int = 200, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps(data).encode(), status, {"Content-Type": "application/json; charset=utf-8", **names})


class Refusal(Exception):
    """Ends a request with an error.

    Args:
        code: The X-Error-Code: "RepoNotFound", "RevisionNotFound", "EntryNotFound", "GatedRepo" or None.
    """

    def __init__(self, status: int, message: str = "", code: str | None = None, **headers: str):
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers

    def reply(self) -> Reply:
        message = self.message or HTTPStatus(self.status).phrase
        headers = {"X-Error-Message": message, **{name.replace("_", "-"): v for name, v in self.headers.items()}}
        if self.code:
            headers["X-Error-Code"] = self.code
        reply = as_json({"error": message}, self.status)
        reply.headers = {**reply.headers, **headers}
        return reply
