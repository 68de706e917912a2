"""What Python's transformers makes of a saved folder. Arguments: the folder, a JSON file {ids, mask, prompt, newTokens, text, ask}.
Prints JSON: logits of the batch, greedy tokens after the prompt, the text's token ids, greedy texts of its pipeline for what is
asked, the weights it missed or did not expect."""

import json
import sys

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel, pipeline

folder, question_path = sys.argv[1:]
question = json.load(open(question_path))
torch.set_num_threads(1)

model, info = GPT2LMHeadModel.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
model.eval()
with torch.no_grad():
    logits = model(torch.tensor(question["ids"]), attention_mask=torch.tensor(question["mask"])).logits
    prompt = torch.tensor([question["prompt"]])
    generated = model.generate(prompt, max_new_tokens=question["newTokens"], do_sample=False, eos_token_id=None)

tokenizer = AutoTokenizer.from_pretrained(folder)
write = pipeline("text-generation", model=folder, dtype=torch.float32, device="cpu")
texts = [
    write(one["prompt"], max_new_tokens=one["newTokens"], do_sample=False)[0]["generated_text"]
    for one in question.get("ask", [])
]
json.dump(
    {
        "logits": logits.flatten().tolist(),
        "greedy": generated[0].tolist(),
        "textIds": tokenizer(question["text"])["input_ids"],
        "texts": texts,
        "endOfText": [tokenizer.eos_token, tokenizer.eos_token_id],
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
    },
    sys.stdout,
)
