"""How files get in: which of them go to LFS, and commits as lines of JSON."""

import base64
import binascii
import json

from .accounts import require_write
from .card_metadata import validate_card
from .replies import Refusal, Reply, as_json
from .repository import Blob, Commit, Repository, goes_to_lfs, is_ignored
from .routes import API, REVISION, Call, route


@route("POST", f"{API}/preupload/{REVISION}")
def preupload(call: Call) -> Reply:
    repo, request = _writable(call), call.json()
    files = call.commit(repo).files
    attributes = files.get(".gitattributes", Blob(b"")).content
    ignored = request.get("gitIgnore") or files.get(".gitignore", Blob(b"")).content.decode()
    answers = []
    for file in request["files"]:
        path, sample = file["path"], base64.b64decode(file.get("sample", ""))
        call.named_files.append(path)
        answers.append(
            {
                "path": path,
                "uploadMode": "lfs" if goes_to_lfs(path, file["size"], sample, attributes) else "regular",
                "shouldIgnore": is_ignored(path, ignored),
                "oid": files[path].etag if path in files else None,
            }
        )
    return as_json({"files": answers})


@route("POST", f"{API}/commit/{REVISION}")
def commit(call: Call) -> Reply:
    repo = _writable(call)
    parent = call.commit(repo)
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    if not lines or lines[0]["key"] != "header":
        raise Refusal(400, "The first line of a commit must be its header")
    header = lines[0]["value"]
    expected = header.get("parentCommit")
    if expected and not parent.sha.startswith(expected) and not call.flag("create_pr"):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = dict(parent.files)
    for line in lines[1:]:
        _apply(call, repo, files, line["key"], line["value"])
    if "README.md" in files and files["README.md"] != parent.files.get("README.md"):
        errors, _ = validate_card(files["README.md"].content.decode("utf-8", "replace"), repo.repo_type)
        if errors:
            raise Refusal(400, "Invalid metadata in README.md: " + "; ".join(errors))
    if not header.get("summary"):
        raise Refusal(400, '"summary" is required')
    ref = _target(call, repo, parent)
    new = repo.commit(ref, files, header["summary"], header.get("description", ""), call.account.name)
    page = call.hub.page(repo.repo_type, repo.repo_id)
    done = {"success": True, "commitOid": new.sha, "commitUrl": f"{page}/commit/{new.sha}", "hookOutput": ""}
    if call.flag("create_pr"):
        done["pullRequestUrl"] = f"{page}/discussions/{ref.rsplit('/', 1)[-1]}"
    return as_json(done)


def _writable(call: Call) -> Repository:
    """Anyone with a write token may propose a change; only the owner may make one."""
    repo = call.repository()
    require_write(call.account, call.account.name if call.account and call.flag("create_pr") else repo.owner)
    return repo


def _target(call: Call, repo: Repository, parent: Commit) -> str:
    if call.flag("create_pr"):
        ref = f"refs/pr/{len(repo.pull_requests) + 1}"
        repo.pull_requests[ref] = parent
        return ref
    revision = call.parts["revision"].removeprefix("refs/heads/")
    if revision not in repo.branches and revision not in repo.pull_requests:
        raise Refusal(404, f"Not a branch: {revision}", "RevisionNotFound")
    return revision


def _apply(call: Call, repo: Repository, files: dict[str, Blob], key: str, value: dict) -> None:
    path = value["path"].rstrip("/") if key == "deletedFolder" else value["path"]
    call.named_files.append(path)
    if not path or path.startswith("/") or {"", ".", "..", ".git"} & set(path.split("/")):
        raise Refusal(400, f"Invalid path: {path!r}")
    if key == "file":
        files[path] = Blob(_decode(value))
    elif key == "lfsFile":
        if value["oid"] not in repo.objects:
            raise Refusal(400, f"LFS pointer of {path} points to a file that does not exist: {value['oid']}")
        content = repo.objects[value["oid"]]
        if value.get("size", len(content)) != len(content):
            raise Refusal(400, f"{path} has {len(content)} bytes in LFS, not {value['size']}")
        files[path] = Blob(content, value["oid"])
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
    elif key == "deletedFolder":
        inside = [name for name in files if name.startswith(path + "/")]
        if not inside:
            raise Refusal(404, f"A folder with this name doesn't exist: {path}", "EntryNotFound")
        for name in inside:
            del files[name]
    elif key == "copyFile":
        source = repo.find(value["srcRevision"]).files if value.get("srcRevision") else files
        if value["srcPath"] not in source:
            raise Refusal(404, f"A file with this name doesn't exist: {value['srcPath']}", "EntryNotFound")
        files[path] = source[value["srcPath"]]
    else:
        raise Refusal(400, f"Unknown line in a commit: {key}")


def _decode(value: dict) -> bytes:
    if value.get("encoding") != "base64":
        return value["content"].encode()
    try:
        return base64.b64decode(value["content"], validate=True)
    except binascii.Error as error:
        raise Refusal(400, f"{value['path']} is not base64: {error}") from error
