"""GPT-2s as Python's transformers saves them: half precision and untied heads. Argument: a folder.
Saves one model a name below it and prints JSON: name → logits of the last token, greedy tokens, for the prompt printed too."""

import json
import os
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

root = sys.argv[1]
torch.set_num_threads(1)
PROMPT = [5, 300, 7, 4000, 42]
SHAPE = dict(vocab_size=4096, n_positions=32, n_embd=32, n_layer=2, n_head=4, bos_token_id=4095, eos_token_id=4095)
VARIANTS = {
    "float16": (torch.float16, True),
    "bfloat16": (torch.bfloat16, True),
    "untied": (torch.float32, False),
    "untied-bfloat16": (torch.bfloat16, False),
}

answers = {"prompt": PROMPT}
for seed, (name, (dtype, tied)) in enumerate(VARIANTS.items()):
    torch.manual_seed(seed)
    # A wide initial range, so that logits differ by far more than rounding.
    model = GPT2LMHeadModel(GPT2Config(**SHAPE, tie_word_embeddings=tied, initializer_range=0.3))
    with torch.no_grad():
        for key, value in model.named_parameters():
            if key.endswith("bias"):
                value.normal_(std=0.2)
    folder = os.path.join(root, name)
    model.to(dtype).save_pretrained(folder)
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([PROMPT])).logits[0, -1]
        greedy = model.generate(torch.tensor([PROMPT]), max_new_tokens=12, do_sample=False, eos_token_id=None)
    answers[name] = {"logits": logits.tolist(), "greedy": greedy[0].tolist()}
json.dump(answers, sys.stdout)
