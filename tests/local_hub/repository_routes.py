"""Accounts, cards, and repositories as a whole: create, delete, hide, list."""

from .accounts import describe_account, may_read, not_found, require_write
from .card_metadata import SDKS, validate_card
from .descriptions import describe_repository
from .replies import Refusal, Reply, as_json
from .repository import Repository
from .routes import API, TYPES, Call, route


@route("GET", "/api/whoami-v2")
def whoami(call: Call) -> Reply:
    if call.account is None:
        raise Refusal(401, "Invalid username or password.")
    return as_json(describe_account(call.account))


@route("POST", "/api/validate-yaml")
def validate_yaml(call: Call) -> Reply:
    request = call.json()
    errors, warnings = validate_card(request["content"], request.get("repoType", "model"))
    if errors and "text/plain" in call.headers.get("accept", ""):
        return Reply("\n".join(errors).encode(), 400, {"Content-Type": "text/plain; charset=utf-8"})
    messages = {"errors": [{"message": m} for m in errors], "warnings": [{"message": m} for m in warnings]}
    if errors:
        messages["error"] = "\n".join(errors)
    return as_json(messages, 400 if errors else 200)


def _named(call: Call, request: dict) -> tuple[str, str]:
    if call.account is None:
        raise Refusal(401, "Invalid username or password.")
    owner = request.get("organization") or call.account.name
    return request.get("type") or "model", f"{owner}/{request['name']}"


@route("POST", "/api/repos/create")
def create(call: Call) -> Reply:
    request = call.json()
    repo_type, repo_id = _named(call, request)
    require_write(call.account, repo_id.split("/")[0])
    if repo_type not in TYPES.values():
        raise Refusal(400, f'"type" must be one of [{", ".join(TYPES.values())}]')
    if repo_type == "space" and request.get("sdk") not in SDKS:
        raise Refusal(400, f'"sdk" must be one of [{", ".join(SDKS)}]')
    url = call.hub.page(repo_type, repo_id)
    if (repo_type, repo_id) in call.hub.repositories:
        return as_json({"error": f"You already created this {repo_type} repo", "url": url}, 409)
    private = request.get("visibility") == "private" or bool(request.get("private"))
    repo = Repository(repo_id, repo_type, private=private, sdk=request.get("sdk"))
    call.hub.repositories[repo_type, repo_id] = repo
    return as_json({"url": url, "name": repo_id, "id": repo_id})


@route("DELETE", "/api/repos/delete")
def delete(call: Call) -> Reply:
    key = _named(call, call.json())
    repo = call.hub.repositories.get(key)
    if repo is None or not may_read(call.account, repo):
        raise not_found(call.account)
    require_write(call.account, repo.owner)
    del call.hub.repositories[key]
    return as_json({})


@route("PUT", f"{API}/settings")
def settings(call: Call) -> Reply:
    repo, request = call.repository(write=True), call.json()
    if "visibility" in request or "private" in request:
        repo.private = request.get("visibility") == "private" or bool(request.get("private"))
    return as_json({"private": repo.private})


@route("GET", f"{API}/auth-check(?P<write>/write)?")
def check_access(call: Call) -> Reply:
    call.repository(write=call.parts["write"] is not None)
    return as_json({})


@route("GET", "/api/(?P<kind>models|datasets|spaces)")
def list_repositories(call: Call) -> Reply:
    def wanted(repo: Repository, description: dict) -> bool:
        author, search = call.query.get("author", [repo.owner])[0], call.query.get("search", [""])[0]
        task = call.query.get("pipeline_tag", [None])[0]
        filters = [tag for value in call.query.get("filter", []) for tag in value.split(",")]
        return (
            may_read(call.account, repo)
            and author == repo.owner
            and search.lower() in repo.repo_id.lower()
            and task in (None, description.get("pipeline_tag"))
            and set(filters) <= set(description["tags"])
        )

    found = []
    for (repo_type, _), repo in call.hub.repositories.items():
        if repo_type == TYPES[call.parts["kind"]]:
            description = describe_repository(repo, repo.branches["main"])
            if wanted(repo, description):
                found.append(description)
    return as_json(found[: int(call.query.get("limit", [len(found)])[0])])
