import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { connect } from "node:net";
import { test } from "node:test";
import type { Message } from "../../kernel/protocol.js";
import { connectClientSockets, type RequestChannel } from "../../kernel/sockets.js";
import { type Random, seededRandom } from "../../src/data/random.js";
import { runCell, withKernel } from "./harness.js";

const SEED = 20;
const MESSAGES = 800;
const CHANNELS = ["shell", "control", "stdin"] as const;
const DELIMITER = Buffer.from("<IDS|MSG>");
const TEN_MEGABYTES = 10 * 2 ** 20;

// A kernel that hangs must not hang the tests.
const GUARD = { timeout: 120_000 };

/** One bad message. An id that starts with "refused" must never be heard of again, one with "answered" exactly once. */
interface Sample {
  readonly id: string;
  readonly channel: RequestChannel;
  readonly frames: readonly Uint8Array[];
}

/** Header, parent, metadata and content of a message as they go over the wire. */
type Parts = [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

test(
  "kernel survives 800 malformed messages, replies to none that is wrongly signed, and still computes",
  GUARD,
  async () => {
    await withKernel(async (client) => {
      const { connection } = client;
      const heard: { readonly channel: RequestChannel | "iopub"; readonly message: Message }[] = [];
      let errorText = "";
      client.process.stderr?.on("data", (bytes) => {
        errorText += bytes;
      });
      const sockets = connectClientSockets(connection, (channel, message) => heard.push({ channel, message }));
      const repliesTo = (id: string) =>
        heard.filter(({ channel, message }) => channel !== "iopub" && message.parent?.msg_id === id);
      try {
        const before = await runCell(client, "const kept = 41; process.pid");
        const samples = makeSamples(seededRandom(SEED), connection.key);
        for (const { channel, frames } of samples) sockets.sendFrames(channel, frames);
        const wanted = [...new Set(samples.map(({ id }) => id).filter((id) => id.startsWith("answered")))];
        // A kernel that died says here what it died of.
        assert.equal((await client.request("shell", "kernel_info_request", {})).content.status, "ok");
        const missing = () => wanted.filter((id) => repliesTo(id).length === 0);
        for (let tries = 0; tries < 400 && missing().length > 0 && client.process.exitCode === null; tries++) {
          await sleep(50);
        }
        assert.deepEqual(missing(), [], `exit code ${client.process.exitCode}: ${errorText}`);
        // What is no ZeroMQ at all; some of it passes for the start of an old version's messages.
        const { shell_port, control_port, stdin_port, iopub_port, hb_port } = connection;
        for (const [i, port] of [shell_port, control_port, stdin_port, iopub_port, hb_port].entries()) {
          for (let round = 0; round < 5; round++) await sendBytes(port, randomBytes(seededRandom(i, round), 65_536));
        }

        for (const channel of ["shell", "control"] as const) {
          assert.equal((await client.request(channel, "kernel_info_request", {})).content.status, "ok", channel);
        }
        await client.heartbeat();
        assert.equal((await runCell(client, "1 + 1")).result, "2");
        const { result, reply } = await runCell(client, "[kept + 1, process.pid, 'forged' in globalThis]");
        assert.equal(result, `[ 42, ${before.result}, false ]`, JSON.stringify(reply));

        for (const id of wanted) assert.equal(repliesTo(id).length, 1, id);
        for (const { channel, message } of heard) {
          const about = `${channel}: ${JSON.stringify(message.header)} ${JSON.stringify(message.parent)}`;
          assert.doesNotMatch(String(message.parent?.msg_id), /^refused/, about);
          if (channel !== "iopub") assert.match(String(message.parent?.msg_id), /^(answered|any)/, about);
        }
      } finally {
        sockets.close();
      }
    });
  },
);

test("kernel runs cells of 10 MB and outlives frames of 10 MB", GUARD, async () => {
  await withKernel(async (client) => {
    const long = "x".repeat(TEN_MEGABYTES);
    for (const channel of CHANNELS) client.sendFrames(channel, [DELIMITER, Buffer.from(long), Buffer.from(long)]);
    assert.equal((await runCell(client, `/* ${long} */ 1 + 1`)).result, "2");
    assert.equal((await runCell(client, `"${long}".length`)).result, String(TEN_MEGABYTES));
    await client.heartbeat();
    assert.equal((await runCell(client, "1 + 1")).result, "2");
  });
});

test("kernel tells a client that its code is no string", GUARD, async () => {
  await withKernel(async (client) => {
    for (const type of ["execute_request", "complete_request", "inspect_request", "is_complete_request"]) {
      for (const [code, name] of [
        [5, "number"],
        [null, "null"],
      ] as const) {
        const { content } = await client.request("shell", type, { code });
        const evalue = `Cannot read the request: code of type ${name}, expected a string. Fix: send source as text.`;
        assert.deepEqual([content.status, content.evalue], ["error", evalue], type);
      }
    }
  });
});

function makeSamples(random: Random, key: string): Sample[] {
  const kinds = Object.entries(makers);
  return Array.from({ length: MESSAGES }, (_, i) => {
    const [kind, { fate, make, channel }] = kinds[i % kinds.length] as [string, Maker];
    const id = `${fate}-${i}-${kind}`;
    return { id, channel: channel ?? pick(random, CHANNELS), frames: make(random, id, key) };
  });
}

interface Maker {
  readonly fate: "refused" | "answered" | "any";
  readonly channel?: RequestChannel;
  make(random: Random, id: string, key: string): Uint8Array[];
}

const FORGERY = { code: "(globalThis as Record<string, unknown>).forged = true;", silent: true };

// Fields of each request, so that every one of them gets values of wrong types. No shutdown_request, it
// would be obeyed, and no interrupt_request: two in a row while a cell runs restart the session.
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  execute_request: ["code", "silent", "store_history", "user_expressions", "allow_stdin", "stop_on_error"],
  complete_request: ["code", "cursor_pos"],
  inspect_request: ["code", "cursor_pos", "detail_level"],
  is_complete_request: ["code"],
  history_request: ["hist_access_type", "output", "raw", "session", "start", "stop", "n", "pattern", "unique"],
  comm_info_request: ["target_name"],
  kernel_info_request: ["unasked"],
};

const makers: Readonly<Record<string, Maker>> = {
  "random frames": {
    fate: "refused",
    make: (random) => Array.from({ length: 1 + random.integer(8) }, () => randomBytes(random, random.integer(2000))),
  },
  "no delimiter": {
    fate: "refused",
    make: (_, id, key) => signed(request(id, "execute_request", FORGERY), key).slice(1),
  },
  "damaged delimiter": {
    fate: "refused",
    make: (random, id, key) => {
      const [delimiter = DELIMITER, ...rest] = signed(request(id, "execute_request", FORGERY), key);
      return [damaged(random, delimiter), ...rest];
    },
  },
  "too few frames": {
    fate: "refused",
    make: (random, id, key) => signed(request(id, "execute_request", FORGERY), key).slice(0, 1 + random.integer(5)),
  },
  "wrong key": {
    fate: "refused",
    make: (random, id) =>
      signed(request(id, "execute_request", FORGERY), randomBytes(random, 32).toString("hex"), manyFrames(random, 3)),
  },
  "damaged signature": {
    fate: "refused",
    make: (random, id, key) => {
      const [delimiter = DELIMITER, signature = DELIMITER, ...rest] = signed(
        request(id, pick(random, Object.keys(FIELDS)), FORGERY),
        key,
      );
      const forged = [
        damaged(random, signature),
        signature.subarray(1),
        Buffer.from(Buffer.from(signature).toString("utf8").toUpperCase()),
        Buffer.alloc(0),
        Buffer.concat([signature, signature]),
        randomBytes(random, signature.length),
      ];
      return [delimiter, pick(random, forged), ...rest];
    },
  },
  "signature of another message": {
    fate: "refused",
    make: (_, id, key) => {
      const [delimiter = DELIMITER, signature = DELIMITER] = signed(request(id, "kernel_info_request", {}), key);
      return [delimiter, signature, ...request(id, "execute_request", FORGERY)];
    },
  },
  "not JSON": {
    fate: "refused",
    make: (random, id, key) => {
      const parts = request(id, "kernel_info_request", {});
      const whole = parts[random.integer(4)] ?? DELIMITER;
      parts[random.integer(4)] = pick(random, [
        whole.subarray(0, -1),
        randomBytes(random, 200),
        Buffer.alloc(0),
        Buffer.from("{'a': 1}"),
        Buffer.from('{"a": NaN}'),
        Buffer.from("[".repeat(100_000)),
      ]);
      return signed(parts, key);
    },
  },
  "JSON that is no object": {
    fate: "refused",
    make: (random, id, key) => {
      const parts = request(id, "kernel_info_request", {});
      const part = pick(random, ["null", "[]", "5", '"text"', "true", '[{"msg_type":"kernel_info_request"}]']);
      parts[random.integer(4)] = Buffer.from(part);
      return signed(parts, key);
    },
  },
  "header without a type": {
    fate: "refused",
    make: (random, id, key) => {
      const parts = request(id, "kernel_info_request", {});
      parts[0] = json(pick(random, [{}, { msg_id: id }, { msg_id: id, msg_type: oddValue(random, false) }]));
      return signed(parts, key);
    },
  },
  "header of wrong types": {
    fate: "any",
    make: (random, id, key) => {
      const parts = request(id, pick(random, Object.keys(FIELDS)), {});
      const header = JSON.parse(Buffer.from(parts[0]).toString("utf8"));
      const field = pick(random, ["session", "username", "date", "version", "toJSON", "unasked"]);
      parts[0] = json({ ...header, [field]: oddValue(random) });
      return signed(parts, key);
    },
  },
  "parent of wrong types": {
    fate: "answered",
    make: (random, id, key) => {
      const parts = request(id, "kernel_info_request", {});
      parts[1] = json({ msg_id: oddValue(random), msg_type: oddValue(random), session: oddValue(random) });
      parts[2] = json({ cellId: oddValue(random), deletedCells: oddValue(random) });
      return signed(parts, key);
    },
  },
  "unknown type": {
    fate: "refused",
    make: (random, id, key) => {
      const inherited = ["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf"];
      const made = ["", "execute_reply", "status", "EXECUTE_REQUEST", "execute_request ", "no_such_request", "\0"];
      const type = pick(random, [...inherited, ...made, randomBytes(random, 12).toString("latin1")]);
      return signed(request(id, type, { [pick(random, ["code", "a", ""])]: oddValue(random) }), key);
    },
  },
  "fields of wrong types": {
    fate: "answered",
    make: (random, id, key) => signed(oddRequest(random, id, pick(random, Object.keys(FIELDS))), key),
  },
  "cell of wrong types": {
    fate: "answered",
    make: (random, id, key) => signed(oddRequest(random, id, "execute_request"), key),
  },
  "comm of wrong types": {
    fate: "any",
    make: (random, id, key) => {
      const type = pick(random, ["comm_open", "comm_msg", "comm_close"]);
      const content = { comm_id: oddValue(random), target_name: oddValue(random), data: oddValue(random) };
      return signed(request(id, type, content), key);
    },
  },
  "input that nobody asked for": {
    fate: "any",
    channel: "stdin",
    make: (random, id, key) => signed(request(id, "input_reply", { value: oddValue(random) }), key),
  },
  "huge identities": {
    fate: "answered",
    make: (random, id, key) => {
      const identities = pick(random, [[randomBytes(random, 200_000)], manyFrames(random, 400), [Buffer.alloc(0)]]);
      return [...identities, ...signed(request(id, "kernel_info_request", {}), key)];
    },
  },
  "unasked buffers": {
    fate: "answered",
    make: (random, id, key) => signed(request(id, "comm_info_request", {}), key, manyFrames(random, 400)),
  },
};

function oddRequest(random: Random, id: string, type: string): Parts {
  const content = Object.fromEntries((FIELDS[type] ?? []).map((field) => [field, oddValue(random)]));
  // Every other one has sound code, so that the fields behind it are looked at too.
  if (random.integer(2) === 0) content.code = "1";
  return request(id, type, content);
}

function oddValue(random: Random, withTexts = true): unknown {
  const values: unknown[] = [
    null,
    true,
    -1,
    0.5,
    1e308,
    2 ** 53,
    [],
    [[], {}],
    {},
    { toString: 1, valueOf: 1, toJSON: 1 },
    DEEP,
  ];
  const texts: unknown[] = [
    "",
    "text",
    "\0",
    "\ud800",
    "*?[",
    "{".repeat(1000),
    randomBytes(random, 30).toString("latin1"),
  ];
  return pick(random, withTexts ? [...values, ...texts] : values);
}

// Deep enough to overflow the stack of whoever walks it by recursion; JSON.stringify does.
const DEEP = Symbol("deep");
const DEEP_JSON = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

function json(value: object): Uint8Array {
  const text = JSON.stringify(value, (_, inner) => (inner === DEEP ? "@deep" : inner));
  return Buffer.from(text.replaceAll('"@deep"', DEEP_JSON));
}

function request(id: string, type: string, content: object): Parts {
  const date = new Date(0).toISOString();
  const header = { msg_id: id, msg_type: type, session: randomUUID(), username: "fuzz", date, version: "5.4" };
  return [json(header), json({}), json({}), json(content)];
}

function signed(parts: Parts, key: string, buffers: readonly Uint8Array[] = []): Uint8Array[] {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return [DELIMITER, Buffer.from(hmac.digest("hex")), ...parts, ...buffers];
}

function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = random.integer(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.integer(8));
  return copy;
}

function manyFrames(random: Random, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => randomBytes(random, random.integer(20)));
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.integer(256)));
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.integer(values.length)] as T;
}

async function sendBytes(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => undefined); // the kernel may hang up at once
  socket.end(bytes).resume();
  await closed;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
