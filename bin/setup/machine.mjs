// @ts-check
/**
 * What the machine must have before anything is installed: Node and free disk. In: what was found, as plain arguments, so
 * that tests can describe other machines. Out: a phrase for the progress line, or a SetupError with the fix.
 * Nothing here installs or writes. This file must parse on Node 18, for it is what tells Node 18 that it is too old.
 */

import { SetupError } from "./problem.mjs";

/** The first 20 whose loader lets a cell import ES modules (vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER). */
export const MINIMUM_NODE = "20.12";

/** Measured after a full set-up: 1.1 GB of Node packages and 1.8 GB of Python packages; the rest is room to unpack. */
export const COURSE_DISK_BYTES = 4e9;

/** The tests also install PyTorch and transformers: 1 GB, and several more where the wheel of PyTorch carries CUDA. */
export const TEST_DISK_BYTES = 8e9;

/**
 * Checks the version of Node.
 *
 * @param {string} version as in `process.versions.node`: "20.11.1"
 * @returns {string} "Node 20.11.1"
 * @throws {SetupError} below Node 20.12
 */
export function checkNode(version) {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [oldestMajor = 0, oldestMinor = 0] = MINIMUM_NODE.split(".").map(Number);
  if (!(major > oldestMajor || (major === oldestMajor && minor >= oldestMinor))) {
    throw new SetupError({
      cannot: "run Fledge",
      found: `Node ${version}`,
      expected: `Node ${MINIMUM_NODE} or newer`,
      fix: `install the current LTS release from https://nodejs.org, or run \`nvm install 22\``,
    });
  }
  return `Node ${version}`;
}

/**
 * Checks that the packages fit on the disk.
 *
 * @param {{ freeBytes: number, neededBytes: number, folder: string }} disk
 * @returns {string} "77.0 GB free"
 * @throws {SetupError} when less is free than needed
 */
export function checkDisk({ freeBytes, neededBytes, folder }) {
  if (freeBytes < neededBytes) {
    throw new SetupError({
      cannot: `install packages in ${folder}`,
      found: `${gigabytes(freeBytes)} free on that disk`,
      expected: `at least ${gigabytes(neededBytes)}`,
      fix: `free ${gigabytes(neededBytes - freeBytes)} there, or move this folder to a larger disk, and run the command again`,
    });
  }
  return `${gigabytes(freeBytes)} free`;
}

/**
 * @param {number} bytes
 * @returns {string} decimal gigabytes with one digit, never less than 0.1: "2.1 GB"
 */
export function gigabytes(bytes) {
  return `${Math.max(0.1, bytes / 1e9).toFixed(1)} GB`;
}
