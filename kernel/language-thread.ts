/**
 * The language thread of the kernel process. In: requests about cells. Out: answers with the same id. TypeScript takes about
 * two seconds to warm up, so it is started at once and never keeps the sockets waiting. Runs no cell.
 */
import { parentPort, workerData } from "node:worker_threads";
import { collectGarbage } from "../src/garbage.js";
import { compileCell } from "./cell.js";
import { CellChecker } from "./checker.js";
import { completeness } from "./completeness.js";
import type { LanguageAnswer, LanguageRequest } from "./language.js";

const { folder, packageFolder }: { folder: string; packageFolder: string } = workerData;
const QUIET_MILLISECONDS = 2000;

const checker = new CellChecker(folder, packageFolder);

function answer(request: LanguageRequest): unknown {
  switch (request.type) {
    case "prepare": {
      const problems = checker.check(request.source);
      if (problems.some(({ stops }) => stops)) return { problems };
      const { code, map } = compileCell(request.source, `${request.cell}.ts`);
      checker.commit(request.source, request.cell);
      return { problems, code, map };
    }
    case "expression":
      return compileCell(`(${request.source}\n)`, `${request.cell}.ts`);
    case "complete":
      return checker.complete(request.source, request.offset);
    case "describe":
      return checker.describe(request.source, request.offset);
    case "completeness":
      return completeness(request.source);
    case "reset":
      return checker.reset();
  }
}

// Programs of earlier cells are tens of megabytes that V8 would keep until the heap has doubled.
const whenQuiet = setTimeout(collectGarbage, QUIET_MILLISECONDS);

parentPort?.on("message", ({ id, request }: { id: number; request: LanguageRequest }) => {
  let reply: LanguageAnswer;
  try {
    reply = { id, value: answer(request) };
  } catch (error) {
    reply = { id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort?.postMessage(reply);
  whenQuiet.refresh();
});
checker.check("console.log(process.pid);");
collectGarbage();
