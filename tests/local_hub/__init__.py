"""A Hub for tests: a server on 127.0.0.1 that speaks the protocol of the `huggingface_hub` client.

It serves models, datasets and spaces: commits, branches, tags and pull requests, LFS, private repositories, read and
write tokens, cards that are judged as the Hub judges them, lists with filters. What a test does not order otherwise
works as on the Hub, down to the error codes. The fixture `local_hub` starts one, gives it the users `alice` (whose
write token is in HF_TOKEN) and `bob` (who can only read), and makes this process use it:

    def test_published_model(local_hub, folder):
        api = HfApi()
        api.create_repo("alice/tiny", private=True)
        local_hub.faults.cut_upload(after=1000)  # the connection breaks once; the client tries again
        api.upload_folder(repo_id="alice/tiny", folder_path=folder)
        assert "optimizer.pt" not in local_hub.files("alice/tiny")
        assert AutoModel.from_pretrained("alice/tiny").config.model_type == "arae"
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("alice/tiny", token=local_hub.token("bob"))
        code = "from transformers import AutoModel; AutoModel.from_pretrained('alice/tiny', trust_remote_code=True)"
        local_hub.run(code, blocked=["hf_arae"])  # a new Python, an empty cache, hf_arae not importable

`local_hub.requests` is the log: `[r.path for r in local_hub.requests if r.method == "PUT"]`. Faults are listed in
`faults.Faults`, the arguments of `run` in `hub.LocalHub.run`. The server does not speak Xet, and does not know
organizations, discussions, gated repositories, or what a space runs.
"""

from .hub import LocalHub
from .server import Request

__all__ = ["LocalHub", "Request"]
