/**
 * Checkpoints of a run. In: weights, Adam's two moments, the trainer's state. Out: a folder `checkpoint-000050` that is whole
 * or not there, verified by size and sha256 when it is read, and that also loads as a model. It knows no engine, decides
 * nothing about when to save, and does not lock the output folder.
 * Files: those of a model, optimizer.safetensors (`m.<weight>`, `v.<weight>`, adapters as `w.<name>`), state.json, manifest.json.
 */
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { sizeOf } from "../engine/program.js";
import { writeModelFiles } from "../export/huggingface.js";
import {
  checkFreeSpace,
  diskProblem,
  readJson,
  sha256File,
  temporaryPath,
  writeFileAtomic,
  writeFolderAtomic,
} from "../files.js";
import { problem } from "../message.js";
import { type Gpt2Config, parameterCount, parseGpt2Config, weightShapes } from "../model/gpt2-config.js";
import { loadPretrained } from "../model/pretrained.js";
import { readSafetensors, type TensorData, toFloat32, writeSafetensors } from "../model/safetensors.js";

/** What says where a run stood. */
interface Standing {
  /** Optimiser steps done. */
  readonly step: number;
  readonly runId: string;
  readonly config: Gpt2Config;
  /** The trainer's own: position in the data, best loss, hashes. Plain JSON, finite numbers only. */
  readonly state: Readonly<Record<string, unknown>>;
}

/** Everything a run needs to go on. */
export interface Checkpoint extends Standing {
  /** By full Hugging Face name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Adam's moments under the names of what is trained. */
  readonly optimizer: {
    readonly m: ReadonlyMap<string, Float32Array>;
    readonly v: ReadonlyMap<string, Float32Array>;
  };
  /** What is trained, when it is not every weight: shapes by name. */
  readonly trainedShapes?: ReadonlyMap<string, readonly number[]>;
  /** Values of what is trained beside the weights, by name; the weights then hold them already, merged. */
  readonly adapters?: ReadonlyMap<string, Float32Array>;
}

/** A checkpoint that is whole, without its arrays, and where it lies. */
export interface CheckpointHead extends Standing {
  readonly folder: string;
}

/** A checkpoint that was read, and where from. */
export interface LoadedCheckpoint extends Checkpoint {
  readonly folder: string;
}

/** A checkpoint folder that could not be used, and why. */
export interface SkippedCheckpoint {
  readonly folder: string;
  readonly reason: string;
}

const NAME = /^checkpoint-(\d+)$/;
const MANIFEST = "manifest.json";
const VERSION = 1;

/** The name of a step's folder: `checkpoint-000050`. */
export function checkpointName(step: number): string {
  return `checkpoint-${String(step).padStart(6, "0")}`;
}

/**
 * Saves a checkpoint: temporary folder, fsync, manifest, rename. One of the same step is replaced.
 *
 * @param outputDir the run's folder.
 * @param checkpoint with `tokenizerFolder`, whose tokenizer files are copied so that the folder loads as a model.
 * @returns the folder's absolute path.
 * @throws DiskError when the disk refuses or has no room; earlier checkpoints are untouched and nothing half-written stays.
 * @example
 * await saveCheckpoint("./gpt2_finetuned", { step: 50, runId, config, weights, optimizer: { m, v }, state, tokenizerFolder });
 */
export async function saveCheckpoint(
  outputDir: string,
  checkpoint: Checkpoint & { readonly tokenizerFolder: string },
): Promise<string> {
  const { step, runId, config, weights, optimizer, state, tokenizerFolder } = checkpoint;
  const folder = join(resolve(outputDir), checkpointName(step));
  const stateJson = toJson(state);
  const cannot = `save checkpoint ${folder}`;
  await checkFreeSpace(cannot, dirname(folder), checkpointBytes(config) + (await tokenizerBytes(tokenizerFolder)));
  const shapes = checkpoint.trainedShapes ?? weightShapes(config);
  const trained = new Map([
    ...tensorsOf(shapes, optimizer.m, "m."),
    ...tensorsOf(shapes, optimizer.v, "v."),
    ...tensorsOf(new Map([...shapes].filter(([name]) => checkpoint.adapters?.has(name))), checkpoint.adapters, "w."),
  ]);
  await writeFolderAtomic(folder, async (temporary) => {
    await writeModelFiles(temporary, { config, weights, tokenizerFolder });
    await writeSafetensors(join(temporary, "optimizer.safetensors"), trained);
    await writeFileAtomic(join(temporary, "state.json"), stateJson);
    const files: Record<string, FileIdentity> = {};
    for (const name of (await readdir(temporary)).sort()) files[name] = await identify(join(temporary, name));
    const manifest: Manifest = { format: "fledge-checkpoint", version: VERSION, step, runId, files };
    await writeFileAtomic(join(temporary, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  }).catch((error: unknown) => {
    throw diskProblem(cannot, error);
  });
  return folder;
}

/** Bytes that a checkpoint of a model trained in whole takes on disk, within a hundredth: weights and two moments, and what is small. */
export function checkpointBytes(config: Gpt2Config): number {
  return 3 * Float32Array.BYTES_PER_ELEMENT * parameterCount(config) + 1e5;
}

async function tokenizerBytes(folder: string): Promise<number> {
  return (await stat(join(folder, "tokenizer.json")).catch(() => ({ size: 0 }))).size;
}

function* tensorsOf(
  shapes: ReadonlyMap<string, readonly number[]>,
  arrays: ReadonlyMap<string, Float32Array> | undefined,
  prefix: string,
): Generator<[string, TensorData]> {
  const extra = [...(arrays?.keys() ?? [])].find((name) => !shapes.has(name));
  if (extra !== undefined) {
    const found = `"${extra}" that is no weight of it`;
    const fix = "pass the arrays of what is trained only";
    throw new TypeError(problem({ cannot: "save the optimiser", found, expected: `${shapes.size} arrays`, fix }));
  }
  for (const [name, shape] of shapes) {
    const data = arrays?.get(name);
    if (data?.length !== sizeOf(shape)) {
      const found = `${data?.length ?? "no"} numbers in "${prefix}${name}"`;
      const fix = "pass every array that is trained under its name";
      throw new TypeError(problem({ cannot: "save the optimiser", found, expected: `${sizeOf(shape)}`, fix }));
    }
    yield [prefix + name, { dtype: "F32", shape, data }];
  }
}

interface FileIdentity {
  readonly bytes: number;
  readonly sha256: string;
}

interface Manifest {
  readonly format: "fledge-checkpoint";
  readonly version: number;
  readonly step: number;
  readonly runId: string;
  readonly files: Readonly<Record<string, FileIdentity>>;
}

async function identify(path: string): Promise<FileIdentity> {
  return { bytes: (await stat(path)).size, sha256: await sha256File(path) };
}

// JSON turns NaN and Infinity into null, which would come back as a different state.
function toJson(state: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(
    state,
    (key, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) {
        const fix = `leave ${key} out until it has a value`;
        throw new TypeError(
          problem({ cannot: "save the state", found: `${key} ${value}`, expected: "a finite number", fix }),
        );
      }
      return value;
    },
    2,
  );
  return `${json}\n`;
}

/**
 * Compares every file of a checkpoint with the manifest, and reads what is small.
 *
 * @throws Error naming what is missing or differs; RangeError for a version this Fledge does not know.
 */
export async function openCheckpoint(folder: string): Promise<CheckpointHead> {
  const manifest = await readManifest(folder);
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    const { size } = await stat(path).catch(() => ({ size: undefined }));
    if (size === undefined) throw damaged(folder, `no ${name}`, "every file of its manifest");
    if (size !== bytes) throw damaged(folder, `${name} of ${count(size)} bytes`, `${count(bytes)} bytes`);
    if ((await sha256File(path)) !== sha256) throw damaged(folder, `${name} with another sha256`, sha256);
  }
  const { step, runId } = manifest;
  const path = join(folder, "config.json");
  const config = parseGpt2Config(await readJson(path, "the model's configuration"), path);
  const state = await readJson(join(folder, "state.json"), "the run's state");
  return { folder: resolve(folder), step, runId, config, state };
}

/**
 * Reads a checkpoint in whole.
 *
 * @throws as `openCheckpoint` does
 */
export async function loadCheckpoint(folder: string): Promise<LoadedCheckpoint> {
  const head = await openCheckpoint(folder);
  const { weights } = await loadPretrained(head.folder);
  const { tensors } = await readSafetensors(join(folder, "optimizer.safetensors"));
  const moment = (prefix: string): Map<string, Float32Array> => {
    const found = [...tensors].filter(([name]) => name.startsWith(prefix));
    return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), toFloat32(tensor, name)]));
  };
  const adapters = moment("w.");
  const optimizer = { m: moment("m."), v: moment("v.") };
  return { ...head, weights, optimizer, ...(adapters.size > 0 && { adapters }) };
}

async function readManifest(folder: string): Promise<Manifest> {
  const json = await readJson(join(folder, MANIFEST), "the checkpoint's manifest");
  const { format, version, step, runId, files } = json;
  if (format !== "fledge-checkpoint" || !Number.isSafeInteger(step) || typeof runId !== "string") {
    throw damaged(folder, "a manifest of another kind", "one that Fledge wrote");
  }
  if (version !== VERSION) {
    const found = `version ${JSON.stringify(version)}`;
    const fix = "resume with the Fledge that wrote it";
    throw new RangeError(problem({ cannot: `read checkpoint ${folder}`, found, expected: `version ${VERSION}`, fix }));
  }
  const identities = typeof files === "object" && files !== null ? Object.entries(files) : [];
  const plain = identities.every(([name, file]) => basename(name) === name && typeof file?.sha256 === "string");
  const must = ["config.json", "model.safetensors", "optimizer.safetensors", "state.json"];
  if (!plain || !must.every((name) => identities.some(([known]) => known === name))) {
    throw damaged(folder, "a manifest without its files", must.join(", "));
  }
  return { format, version, step: step as number, runId, files: Object.fromEntries(identities) };
}

function damaged(folder: string, found: string, expected: string): Error {
  const fix = "delete this folder and resume from an earlier checkpoint";
  return new Error(problem({ cannot: `read checkpoint ${folder}`, found, expected, fix }));
}

function count(value: number): string {
  return value.toLocaleString("en");
}

/** The checkpoint folders of a run, oldest first; whole or not is not looked at. */
export async function listCheckpoints(outputDir: string): Promise<string[]> {
  const entries = await readdir(outputDir).catch(() => []);
  const steps = entries.flatMap((entry) => {
    const step = NAME.exec(entry)?.[1];
    return step === undefined ? [] : [{ entry, step: Number(step) }];
  });
  return steps.sort((a, b) => a.step - b.step).map(({ entry }) => join(resolve(outputDir), entry));
}

/**
 * Finds where a run can go on: the newest checkpoint that is whole.
 *
 * @param runId whose checkpoints come first, whatever lies there of earlier runs: a run that begins afresh may be killed
 *   between its first checkpoint and the deletion of theirs
 * @returns it with those that were skipped and why, or undefined when there is none at all.
 * @throws Error when there are checkpoints but every one is damaged, rather than start afresh in silence.
 */
export async function newestCheckpoint(
  outputDir: string,
  runId?: string,
): Promise<{ checkpoint: CheckpointHead; skipped: SkippedCheckpoint[] } | undefined> {
  const skipped: SkippedCheckpoint[] = [];
  const newestFirst = (await listCheckpoints(outputDir)).reverse();
  const ofOthers = new Set<string>();
  for (const folder of newestFirst) {
    const owner = runId && (await runOf(folder));
    if (owner && owner !== runId) ofOthers.add(folder);
  }
  for (const folder of [...newestFirst.filter((folder) => !ofOthers.has(folder)), ...ofOthers]) {
    try {
      return { checkpoint: await openCheckpoint(folder), skipped };
    } catch (error) {
      skipped.push({ folder, reason: (error as Error).message });
    }
  }
  if (skipped.length === 0) return undefined;
  const found = skipped.map(({ folder, reason }) => `${basename(folder)} (${reason})`).join("; ");
  const fix = `delete the checkpoint folders in ${outputDir} to start afresh`;
  throw new Error(problem({ cannot: `resume from ${outputDir}`, found, expected: "one whole checkpoint", fix }));
}

async function runOf(folder: string): Promise<string | undefined> {
  const manifest = await readManifest(folder).catch(() => undefined);
  return manifest?.runId;
}

/** How many checkpoints a run may keep. */
export interface CheckpointLimit {
  /** At most this many. */
  readonly count: number;
  /** At most this much disk. */
  readonly bytes: number;
}

/**
 * Deletes the checkpoints that are not to be kept: all but those named and, as far as the limit allows, the newest others of
 * the same run. When none of those to keep is whole, the newest whole one stays too.
 *
 * @param keep folders (or their names).
 * @param limit default: keep no others.
 * @returns the folders deleted.
 */
export async function pruneCheckpoints(
  outputDir: string,
  keep: readonly string[],
  limit: CheckpointLimit = { count: 0, bytes: 0 },
): Promise<string[]> {
  const names = new Set(keep.map((folder) => basename(folder)));
  const newestFirst = (await listCheckpoints(outputDir)).reverse();
  const kept = newestFirst.filter((folder) => names.has(basename(folder)));
  const lastGood = (await firstWhole(kept)) ?? (await firstWhole(newestFirst));
  const staying = new Set([...kept, ...(lastGood ? [lastGood] : [])]);
  for (const folder of await withinLimit(newestFirst, staying, limit)) staying.add(folder);
  const deleted: string[] = [];
  for (const folder of newestFirst) {
    if (staying.has(folder)) continue;
    // Renamed first: a folder half deleted must not look like a checkpoint.
    const doomed = temporaryPath(folder);
    await rename(folder, doomed);
    await rm(doomed, { recursive: true, force: true });
    deleted.push(folder);
  }
  return deleted;
}

// The newest of the same run that fit beside those that stay anyway.
async function withinLimit(
  newestFirst: readonly string[],
  staying: ReadonlySet<string>,
  limit: CheckpointLimit,
): Promise<string[]> {
  const [newest] = staying;
  const runId = newest && (await runOf(newest));
  let count = staying.size;
  let bytes = 0;
  for (const folder of staying) bytes += (await wholeBytes(folder)) ?? 0;
  const more: string[] = [];
  for (const folder of newestFirst) {
    if (staying.has(folder) || (await runOf(folder)) !== runId) continue;
    const size = await wholeBytes(folder);
    if (size === undefined || count + 1 > limit.count || bytes + size > limit.bytes) continue;
    count++;
    bytes += size;
    more.push(folder);
  }
  return more;
}

async function firstWhole(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) if ((await wholeBytes(folder)) !== undefined) return folder;
  return undefined;
}

// Bytes of a checkpoint whose files have their sizes. Reading gigabytes again at each save would slow the run.
async function wholeBytes(folder: string): Promise<number | undefined> {
  const manifest = await readManifest(folder).catch(() => undefined);
  if (manifest === undefined) return undefined;
  let total = 0;
  for (const [name, { bytes }] of Object.entries(manifest.files)) {
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats?.size !== bytes) return undefined;
    total += bytes;
  }
  return total;
}
