"""Python's huggingface_hub sends a folder. Arguments: endpoint, token, repository, folder. Prints JSON: the commit's address."""

import json
import os
import sys

endpoint, token, repository, folder = sys.argv[1:]
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ.pop(name, None)
os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1")

from huggingface_hub import HfApi  # noqa: E402

api = HfApi(endpoint=endpoint, token=token)
api.create_repo(repository, private=True, exist_ok=True)
done = api.upload_folder(repo_id=repository, folder_path=folder, commit_message="From Python")
json.dump({"commitUrl": done.commit_url}, sys.stdout)
