"""Who asks, and what they may do."""

from dataclasses import dataclass

from .replies import Refusal
from .repository import Repository


@dataclass(frozen=True)
class Account:
    """A user as known by one token.

    Attributes:
        role: "write", or "read" for a token that cannot change anything.
    """

    name: str
    token: str
    role: str


def identify(accounts: dict[str, Account], authorization: str | None) -> Account | None:
    """The account of an Authorization header; None without one.

    Raises:
        Refusal: 401 if the token is nobody's.
    """
    if not authorization:
        return None
    account = accounts.get(authorization.removeprefix("Bearer "))
    if account is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    return account


def may_read(account: Account | None, repo: Repository) -> bool:
    return not repo.private or (account is not None and account.name == repo.owner)


def require_write(account: Account | None, owner: str) -> Account:
    """The account, if it may change what belongs to `owner`.

    Raises:
        Refusal: 401 without a token, 403 with a read-only one or in someone else's namespace.
    """
    if account is None:
        raise Refusal(401, "Invalid username or password.", "RepoNotFound")
    if account.role != "write":
        raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
    if account.name != owner:
        raise Refusal(403, f'You don\'t have the rights to change anything under the namespace "{owner}"')
    return account


def not_found(account: Account | None) -> Refusal:
    """Missing and hidden repositories look the same; without a token the Hub says 401 instead of 404."""
    if account is None:
        return Refusal(401, "Invalid username or password.", "RepoNotFound")
    return Refusal(404, "Repository not found", "RepoNotFound")


def describe_account(account: Account) -> dict:
    """What GET /api/whoami-v2 gives."""
    return {
        "type": "user",
        "id": account.name.encode().hex()[:24].ljust(24, "0"),
        "name": account.name,
        "fullname": account.name.capitalize(),
        "isPro": False,
        "canPay": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": account.role, "role": account.role}},
    }
