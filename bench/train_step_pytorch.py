"""PyTorch's sides of bench/train-step.ts and train-gpu.ts, the same work: transformers' GPT-2 with AdamW and clipping, in a bare loop,
in that loop after torch.compile, or in HF's Trainer with its defaults. Prints a measurement."""

import json
import resource
import sys
import tempfile
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

work = json.loads(sys.argv[1])
shape, B, T, steps = work["config"], work["B"], work["T"], work["steps"]
device = work.get("device", "cpu")
on_gpu = device == "cuda"
torch.manual_seed(1)
torch.set_num_threads(work["threads"])
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
model.to(device)
clocks = []


def tick():
    if on_gpu:
        torch.cuda.synchronize()
    clocks.append((time.perf_counter(), time.process_time()))


def bare(model):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
    for _ in range(steps):
        ids = torch.randint(0, shape["vocabularySize"], (B, T)).to(device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=work["mixedPrecision"]):
            loss = model(ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tick()
    return loss.item()


class Clock(TrainerCallback):
    def on_train_begin(self, *_, **__):
        clocks.clear()
        tick()

    def on_step_end(self, *_, **__):
        tick()


def trainer(folder):
    rows = [torch.randint(0, shape["vocabularySize"], (T,)) for _ in range(B * steps)]
    arguments = TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=B,
        max_steps=steps,
        bf16=work["mixedPrecision"],
        use_cpu=not on_gpu,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    dataset = [{"input_ids": ids, "labels": ids} for ids in rows]
    return Trainer(model, arguments, train_dataset=dataset, callbacks=[Clock()]).train().training_loss


def median(values):
    values = sorted(values[min(2, len(values) - 1) :])
    return values[len(values) // 2]


tick()
if work["loop"] == "bare":
    loss = bare(model)
elif work["loop"] == "compiled":
    loss = bare(torch.compile(model))
else:
    with tempfile.TemporaryDirectory() as folder:
        loss = trainer(folder)
seconds, processor = ([after[i] - before[i] for before, after in zip(clocks, clocks[1:])] for i in (0, 1))
resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
measurement = {
    "secondsPerStep": median(seconds),
    "processorSecondsPerStep": median(processor),
    "compileSeconds": max(0.0, seconds[0] - median(seconds)),
    "peakMemoryBytes": torch.cuda.max_memory_allocated() if on_gpu else resident,
    "loss": loss,
}
print(json.dumps(measurement))
