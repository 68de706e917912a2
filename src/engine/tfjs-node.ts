/**
 * `@tensorflow/tfjs-node-gpu`'s own kernels as a TensorFlow.js backend. In: the folder of a TensorFlow. Out: the backend's name, and
 * what it calls. Its compiled addon is used where npm could fetch it and it loads, else our binding (tfjs-binding.ts).
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs";
import { problem } from "../message.js";
import { missingTensorFlow } from "./find.js";
import { loadTensorFlow } from "./tensorflow-library.js";
import { TfjsBinding } from "./tfjs-binding.js";

/** TensorFlow.js' name of the backend that tfjs-node's kernels are registered for. */
const backendName = "tensorflow";
const packageName = "@tensorflow/tfjs-node-gpu";

/** A backend that is ready, and what it runs on. */
export interface TfjsNodeBackend {
  readonly backendName: string;
  /** `TensorFlow 2.21.0 through tfjs-node's kernels`. */
  readonly description: string;
}

/**
 * Registers the backend; safe to call twice.
 *
 * @param folder the `tensorflow` folder of a Python environment; not needed where the addon is there
 * @throws Error when the package or TensorFlow is missing
 */
export function registerTfjsNode(folder: string | undefined): TfjsNodeBackend {
  const require = createRequire(import.meta.url);
  const root = packageFolder(require);
  // Its kernels call what Node 23 took out of util.
  const old = util as { isNullOrUndefined?: (value: unknown) => boolean };
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const addon = join(root, "lib", "napi-v8", "tfjs_binding.node");
  const binding = (existsSync(addon) && load(require, addon)) || ownBinding(folder);
  if (!tf.findBackend(backendName)) {
    require(join(root, "dist", "register_all_kernels.js"));
    const { NodeJSKernelBackend } = require(join(root, "dist", "nodejs_kernel_backend.js"));
    tf.registerBackend(backendName, () => new NodeJSKernelBackend(binding, packageName), 0);
  }
  const description = `TensorFlow ${binding.TF_Version} through the kernels of tfjs-node`;
  return { backendName, description };
}

function ownBinding(folder: string | undefined): TfjsBinding {
  if (!folder) throw missingTensorFlow();
  return new TfjsBinding(loadTensorFlow(folder));
}

// An addon for another system or libtensorflow is there but does not load.
function load(require: NodeJS.Require, addon: string): { readonly TF_Version: string } | undefined {
  try {
    return require(addon) as { readonly TF_Version: string };
  } catch {
    return undefined;
  }
}

function packageFolder(require: NodeJS.Require): string {
  try {
    return dirname(require.resolve(`${packageName}/package.json`));
  } catch (error) {
    throw new Error(
      problem({
        cannot: "open the engine tfjs-node",
        found: `no package ${packageName}`,
        expected: "the optional dependency to be installed",
        fix: "run `npm install --ignore-scripts --include=optional`, or set FLEDGE_ENGINE=tensorflow",
      }),
      { cause: error },
    );
  }
}
