/**
 * What the kernel says of itself. In: Fledge's own folder. Out: the content of a kernel_info_reply. It promises only what the
 * kernel does: there is no debugger.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Json, PROTOCOL_VERSION } from "./protocol.js";

/** Content of the kernel_info_reply. @param packageFolder Fledge's own folder */
export function kernelInfo(packageFolder: string): Json {
  const own = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  const require = createRequire(join(packageFolder, "package.json"));
  const typescript = JSON.parse(readFileSync(require.resolve("typescript/package.json"), "utf8"));
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "fledge",
    implementation_version: own.version,
    language_info: {
      name: "typescript",
      version: typescript.version,
      mimetype: "application/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: `Fledge ${own.version}: TypeScript ${typescript.version} on Node ${process.versions.node}`,
    debugger: false,
    help_links: [{ text: "TypeScript handbook", url: "https://www.typescriptlang.org/docs/" }],
    supported_features: ["kernel subshells"],
  };
}
