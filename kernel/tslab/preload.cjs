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

const { _load: load, _resolveFilename: resolveFilename } = /** @type {Record<string, Function>} */ (
  /** @type {unknown} */ (Module)
);

Object.assign(Module, {
  _load(/** @type {string} */ request, /** @type {unknown[]} */ ...rest) {
    const loaded = load.call(Module, request, ...rest);
    const cure = Object.hasOwn(cures, request) ? cures[request] : undefined;
    if (!cure) return loaded;
    if (!cured.has(loaded)) cured.set(loaded, cure(loaded));
    return cured.get(loaded);
  },
  // From a folder that knows no Fledge, this one is found.
  _resolveFilename(/** @type {string} */ request, /** @type {unknown[]} */ ...rest) {
    try {
      return resolveFilename.call(Module, request, ...rest);
    } catch (error) {
      if (request !== "fledge") throw error;
      return requireOwn.resolve(request);
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
  const types = path.join(packageFolder, "dist", "src", "index.d.ts");
  const createWatchCompilerHost = (
    /** @type {string[]} */ files,
    /** @type {object} */ options,
    /** @type {any[]} */ ...rest
  ) => typescript.createWatchCompilerHost(files, { ...options, paths: { fledge: [types] } }, ...rest);
  return replaced(typescript, { createWatchCompilerHost });
}

function replaced(/** @type {object} */ whole, /** @type {Record<string, unknown>} */ parts) {
  return new Proxy(whole, {
    get: (target, name) => (Object.hasOwn(parts, name) ? parts[String(name)] : Reflect.get(target, name)),
  });
}
