/**
 * Kills its own process at a call to the file system, or makes the call fail: loaded with `node --import` before the program.
 * In: FLEDGE_TEST_FAULT="<n> <how>", where the n-th call that changes something on disk is `before`, `half` (of a write) or
 * `after`, or a code such as ENOSPC from that call on. Out: with "0 count", the number of calls on standard output at exit.
 */
import { type FileHandle, open } from "node:fs/promises";
import { createRequire, syncBuiltinESMExports } from "node:module";

type Call = (...values: unknown[]) => Promise<unknown>;
const files = createRequire(import.meta.url)("node:fs/promises") as Record<string, Call>;

const [place = "", how = ""] = (process.env.FLEDGE_TEST_FAULT ?? "").split(" ");
let calls = 0;

async function faulty(call: () => Promise<unknown>, half: () => Promise<unknown>): Promise<unknown> {
  calls++;
  if (how.startsWith("E") && calls >= Number(place)) {
    throw Object.assign(new Error(`${how}: injected`), { code: how, syscall: "write" });
  }
  if (calls !== Number(place)) return call();
  if (how === "half") await half();
  if (how === "after") await call();
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

for (const name of ["mkdir", "rename", "rm", "link", "copyFile", "writeFile", "open"]) {
  const original = files[name] as Call;
  files[name] = (...values) => {
    // Opening to read changes nothing.
    if (name === "open" && !/[wax+]/.test(String(values[1] ?? "r"))) return original(...values);
    return faulty(
      () => original(...values),
      async () => undefined,
    );
  };
}
syncBuiltinESMExports();

const handle = await open(process.execPath);
const prototype = Object.getPrototypeOf(handle) as FileHandle & Record<string, Call>;
await handle.close();
for (const name of ["write", "writeFile", "sync", "truncate"]) {
  const original = prototype[name] as Call;
  Object.assign(prototype, {
    [name](this: FileHandle, ...values: unknown[]) {
      const half = async () => {
        const [data, offset, length, position] = values;
        if (name === "write") await original.call(this, data, offset, Number(length) >> 1, position);
        const bytes = typeof data === "string" ? Buffer.from(data) : data;
        if (name === "writeFile" && bytes instanceof Uint8Array) {
          await original.call(this, bytes.subarray(0, bytes.length >> 1));
        }
      };
      return faulty(() => original.apply(this, values), half);
    },
  });
}

if (how === "count") process.on("exit", () => process.stdout.write(`calls ${calls}\n`));
