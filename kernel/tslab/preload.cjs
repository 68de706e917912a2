/**
 * What the kernelspec "tslab (with Fledge)" loads before the real tslab, which stays as it is. In: tslab's calls of `require`.
 * Out: the same modules, with two cures. Sockets that never block: zeromq 6 finishes every 513th send of a burst later than
 * the rest, and tslab waits for none, so a loop with live updates loses messages. And `import … from "fledge"`, which the
 * module resolution of tslab's TypeScript 5.0 (node10) cannot find by `exports`.
 */
"use strict";

const Module = require("node:module");
const path = require("node:path");

const packageFolder = path.resolve(__dirname, "..", "..");
const requireOwn = Module.createRequire(path.join(packageFolder, "package.json"));
const NEVER_BLOCK = { sendHighWaterMark: 0, sendTimeout: 0 };

/** @type {Readonly<Record<string, (loaded: object) => object>>} */
const cures = { zeromq: withSocketsThatNeverBlock, "@tslab/typescript-for-tslab": withTypesOfFledge };
/** @type {Map<unknown, object>} */
const cured = new Map();
const jupyterDisplay = Symbol.for("Jupyter.display");

const { _load: load, _resolveFilename: resolveFilename } = /** @type {Record<string, Function>} */ (
  /** @type {unknown} */ (Module)
);

Object.assign(Module, {
  _load(/** @type {string} */ request, /** @type {unknown[]} */ ...rest) {
    const loaded = load.call(Module, request, ...rest);
    if (request === "./jupyter" && loaded.ZmqServer && !cured.has(loaded)) {
      cured.set(loaded, loaded);
      showThrough(loaded);
    }
    const cure = Object.hasOwn(cures, request) ? cures[request] : undefined;
    if (!cure) return loaded;
    if (!cured.has(loaded)) cured.set(loaded, cure(loaded));
    return cured.get(loaded);
  },
  // From a folder that knows no Fledge, this one is found, and its packages.
  _resolveFilename(/** @type {string} */ request, /** @type {unknown[]} */ ...rest) {
    try {
      return resolveFilename.call(Module, request, ...rest);
    } catch (error) {
      if (/^[./]/.test(request)) throw error;
      try {
        return requireOwn.resolve(request);
      } catch {
        throw error;
      }
    }
  },
});

function withSocketsThatNeverBlock(/** @type {any} */ zeromq) {
  class Publisher extends zeromq.Publisher {
    constructor(/** @type {object} */ options) {
      super({ ...NEVER_BLOCK, ...options });
    }
  }
  class Router extends zeromq.Router {
    constructor(/** @type {object} */ options) {
      super({ ...NEVER_BLOCK, ...options });
    }
  }
  return replaced(zeromq, { Publisher, Router });
}

function withTypesOfFledge(/** @type {any} */ typescript) {
  // The folder's own packages come first, then Fledge's, as in Fledge's own kernel.
  const folders = [...ancestors(process.cwd()), packageFolder].map((folder) => path.join(folder, "node_modules", "*"));
  const paths = { fledge: [path.join(packageFolder, "dist", "src", "index.d.ts")], "*": folders };
  const createWatchCompilerHost = (
    /** @type {string[]} */ files,
    /** @type {object} */ options,
    /** @type {any[]} */ ...rest
  ) => typescript.createWatchCompilerHost(files, { ...options, paths }, ...rest);
  return replaced(typescript, { createWatchCompilerHost });
}

// The library's display hook, and console.log, by which tslab shows the last expression of a cell.
function showThrough(/** @type {any} */ tslab) {
  const show = (/** @type {any} */ value, /** @type {{ displayId?: string, update?: boolean }} */ options = {}) => {
    const data = isDisplayable(value)
      ? value[jupyterDisplay]()
      : typeof value === "string"
        ? { "text/plain": value }
        : value;
    const { displayId, update = false } = options;
    tslab.lastWriteDisplayData({ data, metadata: {}, transient: { display_id: displayId } }, update);
  };
  Object.assign(globalThis, { [Symbol.for("fledge.display")]: show });
  const { log } = console;
  console.log = (...values) => {
    if (values.length === 1 && isDisplayable(values[0])) show(values[0]);
    else log(...values);
  };
}

function isDisplayable(/** @type {any} */ value) {
  return typeof value === "object" && value !== null && typeof value[jupyterDisplay] === "function";
}

function ancestors(/** @type {string} */ folder) {
  /** @type {string[]} */
  const found = [folder];
  for (let above = path.dirname(folder); above !== found.at(-1); above = path.dirname(above)) found.push(above);
  return found;
}

function replaced(/** @type {object} */ whole, /** @type {Record<string, unknown>} */ parts) {
  return new Proxy(whole, {
    get: (target, name) => (Object.hasOwn(parts, name) ? parts[String(name)] : Reflect.get(target, name)),
  });
}
