/** The server as the `openai` package from npm sees it: completions, chats, streams, token probabilities and errors. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import OpenAI from "openai";
import { openModel } from "../../src/generate/text-model.js";
import { serve } from "../../src/serve/server.js";

const model = await openModel("fledge-base", { mixedPrecision: false });
const server = await serve({ model, modelId: "fledge-base", port: 0 });
after(async () => {
  await server.close();
  await model.dispose();
});
const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none needed", maxRetries: 0 });
const ask = { model: "fledge-base", prompt: "My fellow citizens", max_tokens: 12, temperature: 0 };

test("models.list() and retrieve() name the model", async () => {
  const { data } = await client.models.list();
  assert.deepEqual(
    data.map(({ id }) => id),
    ["fledge-base"],
  );
  assert.equal((await client.models.retrieve("fledge-base")).object, "model");
});

test("completions.create() continues as generate() does, and counts the tokens", async () => {
  const completion = await client.completions.create(ask);
  const [choice] = completion.choices;
  const expected = await model.generate(ask.prompt, { temperature: 0, maxNewTokens: 12 });
  assert.equal(ask.prompt + choice?.text, expected);
  assert.equal(choice?.finish_reason, "length");
  const prompt_tokens = model.tokenizer.encode(ask.prompt).length;
  assert.deepEqual(completion.usage, { prompt_tokens, completion_tokens: 12, total_tokens: prompt_tokens + 12 });
  assert.match(completion.id, /^cmpl-/);
});

test("completions.create() answers n times, the seeds one after the other, and takes several prompts", async () => {
  const drawn = { ...ask, temperature: 1, seed: 7 };
  const { choices } = await client.completions.create({ ...drawn, prompt: [ask.prompt, "The king"], n: 2 });
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  for (const [i, [prompt, seed]] of (
    [
      [ask.prompt, 7],
      [ask.prompt, 8],
      ["The king", 7],
      ["The king", 8],
    ] as const
  ).entries()) {
    assert.equal(prompt + choices[i]?.text, await model.generate(prompt, { maxNewTokens: 12, seed }));
  }
});

test("completions.create() streams the same text, with usage at the end when asked", async () => {
  const whole = await client.completions.create({ ...ask, temperature: 1, seed: 3, max_tokens: 30 });
  const stream = await client.completions.create({
    ...ask,
    temperature: 1,
    seed: 3,
    max_tokens: 30,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let pieces = 0;
  let usage: OpenAI.CompletionUsage | undefined;
  let reason: string | null | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.text ?? "";
    reason = chunk.choices[0]?.finish_reason ?? reason;
    usage = chunk.usage ?? usage;
    pieces++;
  }
  assert.equal(text, whole.choices[0]?.text);
  assert.equal(reason, "length");
  assert.deepEqual(usage, whole.usage);
  assert.ok(pieces > 10, `${pieces} pieces`);
});

test("completions.create() stops before a stop string, echoes, and takes token ids", async () => {
  const {
    choices: [plain],
  } = await client.completions.create({ ...ask, max_tokens: 30 });
  const text = plain?.text ?? "";
  const stop = text.slice(10, 14);
  const prompt = [...model.tokenizer.encode(ask.prompt)];
  const {
    choices: [stopped],
  } = await client.completions.create({ ...ask, prompt, max_tokens: 30, stop, echo: true });
  assert.equal(stopped?.text, ask.prompt + text.slice(0, text.indexOf(stop)));
  assert.equal(stopped?.finish_reason, "stop");
});

test("completions.create() gives logarithms of probabilities that belong to its tokens", async () => {
  const {
    choices: [choice],
  } = await client.completions.create({ ...ask, logprobs: 3 });
  const logprobs = choice?.logprobs;
  assert.equal(logprobs?.tokens?.join(""), choice?.text);
  assert.equal(logprobs?.text_offset?.[1], logprobs?.tokens?.[0]?.length);
  const before = [...model.tokenizer.encode(ask.prompt)];
  for (const [i, log] of (logprobs?.token_logprobs ?? []).entries()) {
    const logits = await model.nextLogits(before);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    const id = logits.indexOf(Math.max(...logits));
    assert.equal(model.tokenizer.decode([id]), logprobs?.tokens?.[i]);
    assert.ok(Math.abs(log - Math.log(Math.exp(logits[id] ?? 0) / sum)) < 1e-4);
    const top = logprobs?.top_logprobs?.[i] ?? {};
    assert.equal(Object.keys(top).length, 3);
    assert.equal(Math.max(...Object.values(top)), log, "greedy: the chosen token is the likeliest of the three");
    before.push(id);
  }
  assert.equal(before.length, model.tokenizer.encode(ask.prompt).length + 12);
});

test("chat.completions.create() continues the transcript, whole and streamed, up to the next turn", async () => {
  const messages = [
    { role: "system" as const, content: "A talk between two senators." },
    { role: "user" as const, content: "What of the army?" },
  ];
  const chat = { model: "fledge-base", messages, max_completion_tokens: 40, seed: 5 };
  const whole = await client.chat.completions.create(chat);
  const message = whole.choices[0]?.message;
  const prompt = "A talk between two senators.\n\nUser: What of the army?\nAssistant:";
  const expected = await model.generate(prompt, { maxNewTokens: 40, seed: 5, stop: ["\nUser:", "\nAssistant:"] });
  assert.equal(message?.content, expected.slice(prompt.length).trimStart());
  assert.equal(message?.role, "assistant");
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, message?.content);
});

test("chat.completions.create() gives logarithms of probabilities, the same whole and streamed", async () => {
  const chat = {
    model: "fledge-base",
    messages: [{ role: "user" as const, content: "What of the army?" }],
    ...{ max_completion_tokens: 12, temperature: 0, logprobs: true, top_logprobs: 2 },
  };
  const whole = await client.chat.completions.create(chat);
  const content = whole.choices[0]?.logprobs?.content ?? [];
  const text = Buffer.from(content.flatMap(({ bytes }) => bytes ?? [])).toString();
  assert.equal(text.trimStart(), whole.choices[0]?.message.content);
  const before = [...model.tokenizer.encode("User: What of the army?\nAssistant:")];
  assert.ok(content.length > 0);
  for (const { token, logprob, top_logprobs } of content) {
    const logits = await model.nextLogits(before);
    const best = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - best), 0);
    assert.equal(token, model.tokenizer.decode([logits.indexOf(best)]));
    assert.ok(Math.abs(logprob + Math.log(sum)) < 1e-4, `${logprob} for ${token}`);
    assert.equal(top_logprobs.length, 2);
    assert.deepEqual([top_logprobs[0]?.token, top_logprobs[0]?.logprob], [token, logprob], "greedy: the likeliest");
    before.push(logits.indexOf(best));
  }
  const streamed: unknown[] = [];
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
    streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []));
  assert.deepEqual(streamed, content);
});

test("completions.create() and chat follow presence_penalty and frequency_penalty, as generate() does", async () => {
  const penalties = { presence_penalty: 1.5, frequency_penalty: 2 };
  const options = { temperature: 0, maxNewTokens: 40 };
  const { choices } = await client.completions.create({ ...ask, ...penalties, max_tokens: 40 });
  const expected = await model.generate(ask.prompt, { ...options, presencePenalty: 1.5, frequencyPenalty: 2 });
  assert.equal(ask.prompt + choices[0]?.text, expected);
  assert.notEqual(expected, await model.generate(ask.prompt, options));
  const messages = [{ role: "user" as const, content: "What of the army?" }];
  const chat = { model: "fledge-base", messages, max_completion_tokens: 40, temperature: 0 };
  const answers = await Promise.all(
    [{}, penalties].map((more) => client.chat.completions.create({ ...chat, ...more })),
  );
  const [plain, varied] = answers.map((answer) => answer.choices[0]?.message.content);
  assert.notEqual(varied, plain);
});

const refused: [Record<string, unknown>, number, RegExp][] = [
  [{ model: "gpt-4" }, 404, /The model "gpt-4" does not exist, expected "fledge-base"/],
  [{ temperature: 3 }, 400, /temperature must be a number from 0 to 2/],
  [{ max_tokens: 5000 }, 400, /maximum context length is 512 tokens\. You asked for 50\d\d/],
  [{ prompt: { a: 1 } }, 400, /prompt must be a string, a list of strings/],
  [{ prompt: [1, 99999] }, 400, /Token id 99999 is not an integer from 0 to 4095/],
  [{ n: 17 }, 400, /n must be an integer from 1 to 16/],
  [{ n: 9, prompt: ["a", "b"] }, 400, /at most 16 answers a request/],
  [{ stop: ["a", ""] }, 400, /stop must be a string or a list of at most 4/],
  [{ presence_penalty: 3 }, 400, /presence_penalty must be a number from -2 to 2/],
  [{ logit_bias: { 5: 1 } }, 400, /logit_bias is not supported/],
  [{ tempreature: 1 }, 400, /Unrecognized request argument supplied: tempreature/],
  [{ logprobs: 6 }, 400, /logprobs must be an integer from 0 to 5/],
  [{ echo: true, logprobs: 1 }, 400, /echo together with logprobs/],
  [{ stream: "yes" }, 400, /stream must be true or false/],
];
for (const [fields, status, message] of refused) {
  test(`completions.create() with ${JSON.stringify(fields)} is refused with ${status}`, async () => {
    const asked = client.completions.create({ ...ask, ...fields } as never);
    await assert.rejects(asked as unknown as Promise<unknown>, (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.equal(error.status, status);
      assert.equal(error.type, "invalid_request_error");
      assert.match(error.message, message);
      return true;
    });
  });
}

test("chat.completions.create() refuses messages that are none", async () => {
  const create = (messages: unknown, more: object = {}) =>
    client.chat.completions.create({ model: "fledge-base", messages, ...more } as never) as unknown as Promise<unknown>;
  await assert.rejects(create([]), /messages must be a list of at least one message/);
  await assert.rejects(
    create([{ role: "robot", content: "x" }]),
    /role must be one of system, developer, user, assistant/,
  );
  await assert.rejects(
    create([{ role: "user", content: [{ type: "image_url" }] }]),
    /content must be a string or a list of text parts/,
  );
  await assert.rejects(
    create([{ role: "user", content: "x" }], { top_logprobs: 2 }),
    /top_logprobs needs logprobs: true/,
  );
  await assert.rejects(
    create([{ role: "user", content: "x" }], { logprobs: true, top_logprobs: 21 }),
    /top_logprobs must be an integer from 0 to 20/,
  );
  await assert.rejects(create([{ role: "user", content: "word ".repeat(600) }]), /maximum context length/);
});
