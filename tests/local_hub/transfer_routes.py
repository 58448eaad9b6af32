"""Bytes: uploads to LFS, and downloads whole or in ranges."""

import hashlib
import re
import secrets

from .replies import Refusal, Reply, as_json
from .repository import Commit
from .routes import API, PAGE, REVISION, Call, route


@route("POST", f"{PAGE}\\.git/info/lfs/objects/batch")
def lfs_batch(call: Call) -> Reply:
    repo, request = call.repository(write=True), call.json()
    answers = []
    for wanted in request["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        answer = {"oid": oid, "size": size}
        if oid not in repo.objects:  # what is there already needs no upload
            key = secrets.token_hex(16)
            call.hub.uploads[key] = (repo, oid, size)
            href = f"{call.hub.url}/lfs-upload/{key}"
            verify = f"{call.hub.page(repo.repo_type, repo.repo_id)}.git/info/lfs/objects/verify"
            upload = {"href": href}
            if call.hub.part_size and size > call.hub.part_size:
                parts = -(-size // call.hub.part_size)
                upload["header"] = {str(n): f"{href}/{n}" for n in range(1, parts + 1)}
                upload["header"]["chunk_size"] = str(call.hub.part_size)
            answer["actions"] = {"upload": upload, "verify": {"href": verify}}
        answers.append(answer)
    return as_json({"transfer": "basic", "objects": answers})


@route("PUT", "/lfs-upload/(?P<key>[0-9a-f]+)")
def lfs_upload(call: Call) -> Reply:
    _keep(call, call.body)
    return Reply(headers={"ETag": f'"{hashlib.md5(call.body).hexdigest()}"'})


@route("PUT", "/lfs-upload/(?P<key>[0-9a-f]+)/(?P<part>[0-9]+)")
def lfs_upload_part(call: Call) -> Reply:
    _upload_of(call)
    call.hub.parts[call.parts["key"], int(call.parts["part"])] = call.body
    return Reply(headers={"ETag": f'"{hashlib.md5(call.body).hexdigest()}"'})


@route("POST", "/lfs-upload/(?P<key>[0-9a-f]+)")
def lfs_complete(call: Call) -> Reply:
    numbers = [part["partNumber"] for part in call.json()["parts"]]
    _keep(call, b"".join(call.hub.parts.pop((call.parts["key"], number)) for number in numbers))
    return as_json({})


@route("POST", f"{PAGE}\\.git/info/lfs/objects/verify")
def lfs_verify(call: Call) -> Reply:
    repo, request = call.repository(write=True), call.json()
    if len(repo.objects.get(request["oid"], b"")) != request["size"]:
        raise Refusal(404, f"Object {request['oid']} was not uploaded")
    return as_json({})


def _upload_of(call: Call):
    if call.parts["key"] not in call.hub.uploads:
        raise Refusal(403, "This upload was not asked for")
    return call.hub.uploads[call.parts["key"]]


def _keep(call: Call, content: bytes) -> None:
    repo, oid, size = _upload_of(call)
    if hashlib.sha256(content).hexdigest() != oid or len(content) != size:
        raise Refusal(400, f"{len(content)} bytes came that are not those of {oid}")
    repo.objects[oid] = content


@route("GET HEAD", f"{PAGE}/resolve/{REVISION}/(?P<path>.+)")
@route("GET HEAD", f"{API}/resolve/{REVISION}/(?P<path>.+)")
def resolve(call: Call) -> Reply:
    commit = call.commit(call.repository())
    path = call.parts["path"]
    call.named_files.append(path)
    if path not in commit.files:
        raise Refusal(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.sha)
    return _download(call, commit, path)


def _download(call: Call, commit: Commit, path: str) -> Reply:
    blob = commit.files[path]
    content = call.hub.faults.damaged(path, blob.content)
    name = path.rsplit("/", 1)[-1].replace('"', "")
    headers = {
        "ETag": f'"{blob.etag}"',
        "X-Repo-Commit": commit.sha,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream" if blob.sha256 else "text/plain; charset=utf-8",
        "Content-Disposition": f'inline; filename="{name}";',
    }
    if blob.sha256:
        headers |= {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(content))}
    status, span = 200, re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if span and span.group(0) != "bytes=-":
        first, last = _bounds(span.group(1), span.group(2), len(content))
        if first > last:
            raise Refusal(416, "Range not satisfiable", Content_Range=f"bytes */{len(content)}")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        status, content = 206, content[first : last + 1]
    cut = call.hub.faults.download_limit(path) if call.method == "GET" else None
    return Reply(content, status, headers, cut)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """First and last byte of a range; "-500" means the last 500."""
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
