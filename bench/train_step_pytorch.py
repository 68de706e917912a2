"""PyTorch's side of bench/train-step.ts: transformers' GPT-2 with AdamW and clipping, the same work. Prints a measurement."""

import json
import os
import resource
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

work = json.loads(sys.argv[1])
shape, B, T = work["config"], work["B"], work["T"]
torch.manual_seed(1)
torch.set_num_threads(os.cpu_count() or 1)
model = GPT2LMHeadModel(
    GPT2Config(
        vocab_size=shape["vocabularySize"],
        n_positions=shape["positions"],
        n_embd=shape["width"],
        n_layer=shape["layers"],
        n_head=shape["heads"],
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
seconds = []
loss = None
for _ in range(work["steps"]):
    ids = torch.randint(0, shape["vocabularySize"], (B, T))
    began = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=work["mixedPrecision"]):
        loss = model(ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - began)
measured = sorted(seconds[2:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
median = measured[len(measured) // 2]
first = max(0.0, seconds[0] - median)
print(json.dumps({"secondsPerStep": median, "compileSeconds": first, "peakMemoryBytes": peak, "loss": loss.item()}))
