/**
 * The module `tslab` as cells import it: the API of tslab 1.0.22, so that its notebooks run here. In: contents of one type.
 * Out: displays. A display of `newDisplay()` is overwritten by its next content. The package of that name is not loaded.
 * Source: tslab's README, "Display".
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { display as show } from "../src/view/display.js";

/** Shows content of one type. */
export interface Display {
  javascript(source: string): void;
  html(source: string): void;
  markdown(source: string): void;
  latex(source: string): void;
  svg(source: string): void;
  png(bytes: Uint8Array): void;
  jpeg(bytes: Uint8Array): void;
  gif(bytes: Uint8Array): void;
  pdf(bytes: Uint8Array): void;
  text(text: string): void;
  /** @param contentType a MIME type */
  raw(contentType: string, content: string | Uint8Array): void;
}

/** Versions of the API, of TypeScript and of Node. */
export const versions = {
  tslab: "1.0.22",
  typescript: typescriptVersion(),
  node: process.version,
} as const;

/** Shows content, each time anew. */
export const display: Display = displayBy((bundle) => void show(bundle));

/** A display whose content is overwritten by the next one. */
export function newDisplay(): Display {
  const displayId = randomUUID();
  let update = false;
  return displayBy((bundle) => {
    show(bundle, { displayId, update });
    update = true;
  });
}

function displayBy(put: (bundle: object) => void): Display {
  const raw = (contentType: string, content: string | Uint8Array) => put({ [contentType]: content });
  const as =
    <T extends string | Uint8Array>(contentType: string) =>
    (content: T) =>
      raw(contentType, content);
  return {
    javascript: as<string>("text/javascript"),
    html: as<string>("text/html"),
    markdown: as<string>("text/markdown"),
    latex: as<string>("text/latex"),
    svg: as<string>("image/svg+xml"),
    png: as<Uint8Array>("image/png"),
    jpeg: as<Uint8Array>("image/jpeg"),
    gif: as<Uint8Array>("image/gif"),
    pdf: as<Uint8Array>("application/pdf"),
    text: as<string>("text/plain"),
    raw,
  };
}

function typescriptVersion(): string {
  const path = createRequire(import.meta.url).resolve("typescript/package.json");
  return String((JSON.parse(readFileSync(path, "utf8")) as { version: unknown }).version);
}
