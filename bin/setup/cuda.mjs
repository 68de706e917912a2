// @ts-check
/**
 * Which TensorFlow pip installs on a machine with an NVIDIA GPU. In: what `nvidia-smi` answers, and the text of a requirements file.
 * Out: the same text with TensorFlow's CUDA build. It installs nothing.
 */

import { probe } from "./run.mjs";

/**
 * Whether an NVIDIA driver answers for a GPU.
 *
 * @returns {boolean}
 */
export function hasNvidiaGpu() {
  const { ok, stdout } = probe("nvidia-smi", ["-L"]);
  return ok && stdout.includes("GPU 0");
}

/**
 * Asks for the build that brings its CUDA libraries along; only Linux on x86-64 has one.
 *
 * @param {string} requirements
 * @returns {string} with `tensorflow[and-cuda]` instead of `tensorflow-cpu`
 */
export function withCuda(requirements) {
  return requirements.replaceAll(/^tensorflow-cpu==/gm, "tensorflow[and-cuda]==");
}
