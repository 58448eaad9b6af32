"""The hub itself: accounts, repositories, the log, and child processes that use it."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from warm_python import run_python

from .accounts import Account
from .environment import child_environment
from .faults import Faults
from .repository import Commit, Repository
from .server import Request, Server


class LocalHub:
    """A Hub on 127.0.0.1 whose repositories live in memory. Listens while it is open (`with LocalHub() as hub`).

    Attributes:
        url: "http://127.0.0.1:PORT", what HF_ENDPOINT should be.
        requests: Every request so far, in order of arrival.
        faults: Where failures are ordered.
        errors: Tracebacks of what went wrong in the server itself.
        part_size: If set, LFS files of more bytes are uploaded in parts of this size.
        repositories: By (type, id), such as ("model", "alice/x").
    """

    def __init__(self):
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[Request] = []
        self.errors: list[str] = []
        self.faults = Faults()
        self.part_size: int | None = None
        self.lock = threading.RLock()
        self.uploads: dict[str, tuple[Repository, str, int]] = {}  # by the key in their URL: (to, sha256, size)
        self.parts: dict[tuple[str, int], bytes] = {}
        self._server: Server | None = None

    def __enter__(self) -> "LocalHub":
        self._server = Server(self)
        self._folder = TemporaryDirectory(prefix="local-hub-")
        return self

    def __exit__(self, *_) -> None:
        self._server.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def page(self, repo_type: str, repo_id: str) -> str:
        """The address of a repository."""
        return f"{self.url}/{'' if repo_type == 'model' else repo_type + 's/'}{repo_id}"

    def add_user(self, name: str, token: str, role: str = "write") -> None:
        """Makes a token known. A user may have several.

        Args:
            name: The namespace of the user's repositories.
            role: "write", or "read" for a token that may change nothing.
        """
        if role not in ("read", "write"):
            raise ValueError(f'role must be "read" or "write", not {role!r}')
        self.accounts[token] = Account(name, token, role)

    def token(self, name: str) -> str:
        """The first token of a user."""
        return next(token for token, account in self.accounts.items() if account.name == name)

    def commit(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> Commit:
        """The commit of a revision, seen from inside: no token needed.

        Raises:
            KeyError: If there is no such repository or revision.
        """
        commit = self.repositories[repo_type, repo_id].find(revision)
        if commit is None:
            raise KeyError(f"{repo_id} has no revision {revision}")
        return commit

    def files(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> dict[str, bytes]:
        """The content of every file by its path. Raises KeyError as `commit` does."""
        return {path: blob.content for path, blob in self.commit(repo_id, repo_type, revision).files.items()}

    def upload_limit(self, method: str, path: str) -> int | None:
        """After how many bytes this request is to break off, if it uploads and a test wants that."""
        key = path.split("/")[2] if method == "PUT" and path.startswith("/lfs-upload/") else None
        return self.faults.upload_limit(self.uploads[key][1]) if key in self.uploads else None

    def run(
        self,
        command: str | Sequence[str | Path],
        *,
        user: str | None = "alice",
        blocked: Sequence[str] = (),
        cwd: Path | None = None,
        home: Path | None = None,
        check: bool = True,
        timeout: float = 1200,
        **environment: str,
    ) -> subprocess.CompletedProcess:
        """Runs a Python of its own that takes this hub for the Hub, with an empty cache.

        Args:
            command: Code, or the arguments of Python: `["-m", "package", "--flag"]`, `["script.py", "x"]`.
            user: Whose token it has (HF_TOKEN); None for none.
            blocked: Packages that it cannot import, as if they were not installed, such as `["hf_arae"]`.
            cwd: Where it runs; by default an empty folder.
            home: Its HF_HOME, to share a cache between runs; by default a new one.
            check: Raise AssertionError with all it wrote if it fails.
            timeout: Seconds.
            environment: More variables, or other values of those set here.

        Returns:
            With `stdout` and `stderr` as text.
        """
        folder = Path(mkdtemp(dir=self._folder.name))
        (folder / "cwd").mkdir()
        variables = child_environment(self.url, home or folder / "home", blocked)
        variables |= {"HF_TOKEN": self.token(user)} if user else {}
        arguments = ["-c", command] if isinstance(command, str) else [str(part) for part in command]
        result = run_python(arguments, cwd=cwd or folder / "cwd", env=variables | environment, timeout=timeout)
        if check and result.returncode:
            raise AssertionError(f"{arguments} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result
