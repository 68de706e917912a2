"""transformers' side of bench/generate.ts. Prints tokens a second, the median of the rounds; `make FOLDER` saves a model."""

import json
import os
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(1)
if sys.argv[1] == "make":
    GPT2LMHeadModel(GPT2Config(n_layer=6)).save_pretrained(sys.argv[2])
    sys.exit()
work = json.loads(sys.argv[1])
torch.set_num_threads(os.cpu_count() or 1)
model = GPT2LMHeadModel.from_pretrained(work["folder"]).eval()
rows, length, new = work["rows"], work["promptTokens"], work["newTokens"]
ids = torch.tensor([[(row * 31 + i * 7) % 4000 for i in range(length)] for row in range(rows)])
options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "pad_token_id": 0}
rates = []
for turn in range(work["rounds"] + 1):
    began = time.perf_counter()
    with torch.inference_mode():
        model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    if turn > 0:
        rates.append(rows * new / (time.perf_counter() - began))
print(sorted(rates)[work["rounds"] // 2])
