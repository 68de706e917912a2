// @ts-check
/**
 * Opens JupyterLab on notebooks/ with Fledge's kernel. In: further arguments for JupyterLab. Out: its exit code. It asks
 * nothing of the network: JupyterLab's news and update check are off. JupyterLab itself prints the address.
 */

import { join } from "node:path";
import { venvPython } from "./python.mjs";
import { runForeground } from "./run.mjs";

/**
 * The arguments JupyterLab is started with.
 *
 * @param {string} root
 * @param {readonly string[]} args the user's own, which win because they come last
 * @param {boolean} isRoot JupyterLab refuses to run as root unless told
 * @returns {string[]}
 */
export function labArguments(root, args, isRoot) {
  return [
    "-m",
    "jupyterlab",
    `--ServerApp.root_dir=${join(root, "notebooks")}`,
    "--MultiKernelManager.default_kernel_name=fledge",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ...(isRoot ? ["--allow-root"] : []),
    ...args,
  ];
}

/**
 * @param {string} root
 * @param {readonly string[]} args
 * @returns {Promise<number>} JupyterLab's exit code
 */
export function runLab(root, args) {
  process.stdout.write("Starting JupyterLab: open the address with ?token= that it prints below. Ctrl-C ends it.\n\n");
  const python = venvPython(join(root, ".venv"), process.platform);
  return runForeground(python, labArguments(root, args, process.getuid?.() === 0), { cwd: root });
}
