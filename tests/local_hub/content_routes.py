"""What is in a repository: revisions, trees, branches, tags, history."""

from urllib.parse import parse_qs

from .descriptions import describe_commit, describe_path, describe_refs, describe_repository, describe_tree
from .replies import Refusal, Reply, as_json
from .routes import API, REVISION, Call, route


@route("GET", f"{API}(?:/revision/{REVISION})?")
def info(call: Call) -> Reply:
    repo = call.repository()
    return as_json(describe_repository(repo, call.commit(repo), sizes=call.flag("blobs")))


@route("GET", f"{API}/tree/{REVISION}(?:/(?P<folder>.+))?")
def tree(call: Call) -> Reply:
    commit = call.commit(call.repository())
    folder = (call.parts["folder"] or "").strip("/")
    entries = describe_tree(commit, folder, recursive=call.flag("recursive"), expand=call.flag("expand"))
    if entries is None:
        raise Refusal(404, f"{folder} does not exist on this revision", "EntryNotFound", X_Repo_Commit=commit.sha)
    return as_json(entries)


@route("POST", f"{API}/paths-info/{REVISION}")
def paths_info(call: Call) -> Reply:
    commit = call.commit(call.repository())
    if "json" in call.headers.get("content-type", ""):
        form = call.json()
        paths, expand = form["paths"], bool(form.get("expand"))
    else:
        form = parse_qs(call.body.decode())
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
    entries = [describe_path(commit, path, expand=expand) for path in paths]
    return as_json([entry for entry in entries if entry is not None])


@route("GET", f"{API}/refs")
def refs(call: Call) -> Reply:
    return as_json(describe_refs(call.repository()))


@route("GET", f"{API}/commits/{REVISION}")
def commits(call: Call) -> Reply:
    formatted = "formatted" in call.query.get("expand[]", [])
    return as_json([describe_commit(c, formatted=formatted) for c in call.commit(call.repository()).history()])


@route("POST", f"{API}/branch/(?P<name>[^/]+)")
def create_branch(call: Call) -> Reply:
    repo = call.repository(write=True)
    call.parts["revision"] = call.json().get("startingPoint")
    start = call.commit(repo)
    if call.parts["name"] in repo.branches:
        raise Refusal(409, f"Reference already exists: refs/heads/{call.parts['name']}")
    repo.branches[call.parts["name"]] = start
    return as_json({})


@route("DELETE", f"{API}/branch/(?P<name>[^/]+)")
def delete_branch(call: Call) -> Reply:
    repo, name = call.repository(write=True), call.parts["name"]
    if name == "main":
        raise Refusal(403, "Cannot delete the main branch")
    if repo.branches.pop(name, None) is None:
        raise Refusal(404, f"Invalid rev id: {name}", "RevisionNotFound")
    return as_json({})


@route("POST", f"{API}/tag/{REVISION}")
def create_tag(call: Call) -> Reply:
    repo, name = call.repository(write=True), call.json()["tag"]
    target = call.commit(repo)
    if name in repo.tags:
        raise Refusal(409, f"Tag reference exists already: refs/tags/{name}")
    repo.tags[name] = target
    return as_json({})


@route("DELETE", f"{API}/tag/(?P<name>[^/]+)")
def delete_tag(call: Call) -> Reply:
    if call.repository(write=True).tags.pop(call.parts["name"], None) is None:
        raise Refusal(404, f"Invalid rev id: {call.parts['name']}", "RevisionNotFound")
    return as_json({})
