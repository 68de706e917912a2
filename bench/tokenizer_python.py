"""Seconds that Python's fast tokenizers take for the texts of a JSON file. In: tokenizer.json, texts, repetitions. Out: JSON."""
import hashlib
import json
import sys
import time

import numpy
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
with open(sys.argv[2], encoding="utf8") as file:
    texts = json.load(file)
seconds = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    # The fast form leaves out offsets, as ours does.
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    seconds.append(time.perf_counter() - start)
digest = hashlib.sha256()
for encoding in encodings:
    digest.update(numpy.array(encoding.ids, dtype=numpy.uint32).tobytes())
tokens = sum(len(encoding.ids) for encoding in encodings)
print(json.dumps({"seconds": min(seconds), "tokens": tokens, "hash": digest.hexdigest()}))
