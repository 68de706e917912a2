/**
 * One training step on an NVIDIA GPU: Fledge on PJRT beside a bare PyTorch loop, that loop after torch.compile, and HF's Trainer with its
 * defaults, one after the other on the same card. In: words that rows must contain (`npm run bench:gpu -- " gpt2 16" bfloat16`). Out: a
 * table. It asserts nothing. Needs jax-cuda13-plugin or jax-cuda12-plugin and a PyTorch with CUDA in `.venv`, or in what `python3` is.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findGpu } from "../src/engine/find.js";
import { packageRoot } from "../src/paths.js";
import { flopsOf, gpuWorkloads, type Measurement, productsOf, type Row, rowsOf } from "./shapes.js";

const root = packageRoot();
const venv = join(root, ".venv/bin/python");
const python = existsSync(venv) ? venv : "python3";

/** Dense products of an H100 or H200 SXM, FLOP/s (NVIDIA's data sheets): bfloat16 on the tensor cores, float32 on the others. */
const peakFlops = { bfloat16: 989.4e12, float32: 66.9e12 };

/** Runs a side in a process of its own. @returns what its last line says, or why there is none */
function run(program: string, script: string, work: object): Measurement | string {
  try {
    const options = { encoding: "utf8", stdio: "pipe", timeout: 240_000 } as const;
    const output = execFileSync(program, [script, JSON.stringify(work)], options);
    return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Measurement;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    return (stderr?.trim().split("\n").at(-1) || message).slice(0, 300);
  }
}

function print(row: Row, side: string, measured: Measurement | string, reference: Measurement | string): void {
  const head = [row.name, productsOf(row), side];
  if (typeof measured === "string") {
    console.log(`| ${[...head, measured, ...Array(7).fill("")].join(" | ")} |`);
    return;
  }
  const { secondsPerStep, peakMemoryBytes, compileSeconds, loss } = measured;
  const flops = flopsOf(row) / secondsPerStep;
  const times = typeof reference === "string" ? "?" : (reference.secondsPerStep / secondsPerStep).toFixed(2);
  const cells = [
    ...[(1000 * secondsPerStep).toFixed(1), Math.round((row.B * row.T) / secondsPerStep), times],
    ...[(flops / 1e12).toFixed(0), `${((100 * flops) / peakFlops[productsOf(row)]).toFixed(1)} %`],
    ...[(peakMemoryBytes / 1e9).toFixed(2), compileSeconds.toFixed(1), loss.toFixed(3)],
  ];
  console.log(`| ${[...head, ...cells].join(" | ")} |`);
}

const rows = rowsOf(gpuWorkloads, ["bfloat16"]);
console.log(findGpu()?.name ?? "no GPU: every side will fail");
const titles = [
  ...["work", "products", "side", "ms/step", "tokens/s", "× bare loop", "TFLOP/s", "MFU"],
  ...["peak GB", "compiling, s", "loss"],
];
console.log(`| ${titles.join(" | ")} |`);
console.log("|---".repeat(titles.length).concat("|"));
for (const row of rows) {
  const pytorch = (loop: string) =>
    run(python, join(root, "bench/train_step_pytorch.py"), { ...row, threads: 8, loop, device: "cuda" });
  const reference = pytorch("bare");
  print(row, "PyTorch, bare loop", reference, reference);
  print(row, "PyTorch, torch.compile", pytorch("compiled"), reference);
  print(row, "PyTorch, HF Trainer", pytorch("trainer"), reference);
  const fledge = run(process.execPath, join(root, "dist/bench/train-step-fledge.js"), { ...row, engineName: "pjrt" });
  print(row, "Fledge", fledge, reference);
}
console.log(`
ms/step: median of the steps after the first two, batch and loss carried between host and GPU included. TFLOP/s: of what no side can
leave out, 6·N·(12·L·C² + V·C + T·C·L) a step (flopsOf in shapes.ts). MFU: that by ${peakFlops.bfloat16 / 1e12} TFLOP/s for bfloat16, by
${peakFlops.float32 / 1e12} for float32 (an H100's dense peak without TF32). Peak: memory of tensors on the GPU. Compiling: first step less the median.`);
