"""Failures that a test orders in advance."""

import re
import threading
from dataclasses import dataclass


@dataclass
class _Failure:
    status: int
    route: re.Pattern
    method: str | None
    left: int


@dataclass
class _Cut:
    after: int
    match: str | None
    left: int


class Faults:
    """What is going to go wrong, in the order of the requests that meet it.

    The client repeats a failed request by itself, up to five times an upload, so a single fault is often invisible
    but for the log of requests; `times=6` makes an upload fail for good.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._failures: list[_Failure] = []
        self._uploads: list[_Cut] = []
        self._downloads: list[_Cut] = []
        self._flips: dict[str, int] = {}

    def fail(self, status: int = 503, *, route: str = "", method: str | None = None, times: int = 1) -> None:
        """Answers the next `times` requests with `status`.

        Args:
            status: 500 to 599 for a server in trouble; 429 for one that wants fewer requests.
            route: A regular expression searched in the path, such as `"/commit/"` or `"resolve/.*json"`.
            method: "GET", "HEAD", "PUT", "POST" or "DELETE"; None for any.
        """
        self._failures.append(_Failure(status, re.compile(route), method, times))

    def cut_upload(self, after: int, *, sha256: str | None = None, times: int = 1) -> None:
        """Breaks the connection of the next `times` LFS uploads once `after` bytes have come.

        Args:
            after: Bytes; of an upload that is shorter, all are read, and then lost.
            sha256: Only of the file with this digest; None for any.
        """
        self._uploads.append(_Cut(after, sha256, times))

    def cut_download(self, after: int, *, path: str | None = None, times: int = 1) -> None:
        """Breaks the connection of the next `times` downloads once `after` bytes have gone.

        The client goes on where it stopped, but keeps whole chunks only, of `constants.DOWNLOAD_CHUNK_SIZE` (10 MiB).

        Args:
            path: Only of this file of a repository; None for any.
        """
        self._downloads.append(_Cut(after, path, times))

    def flip_byte(self, path: str, offset: int) -> None:
        """From now on, every download of a file of this path has the byte at `offset` inverted."""
        self._flips[path] = offset

    def clear(self) -> None:
        """Forgets all that has not happened yet."""
        self._failures, self._uploads, self._downloads, self._flips = [], [], [], {}

    def status_for(self, method: str, path: str) -> int | None:
        with self._lock:
            for failure in self._failures:
                if failure.left and failure.method in (None, method) and failure.route.search(path):
                    failure.left -= 1
                    return failure.status
        return None

    def upload_limit(self, sha256: str) -> int | None:
        return self._limit(self._uploads, sha256)

    def download_limit(self, path: str) -> int | None:
        return self._limit(self._downloads, path)

    def _limit(self, cuts: list[_Cut], name: str) -> int | None:
        with self._lock:
            for cut in cuts:
                if cut.left and cut.match in (None, name):
                    cut.left -= 1
                    return cut.after
        return None

    def damaged(self, path: str, content: bytes) -> bytes:
        offset = self._flips.get(path)
        if offset is None:
            return content
        return content[:offset] + bytes([content[offset] ^ 0xFF]) + content[offset + 1 :]
