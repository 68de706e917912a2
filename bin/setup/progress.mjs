// @ts-check
/**
 * Shows the steps of a set-up: one line each, with its time. In: step names and what the running program prints. Out: text on
 * a stream. On a terminal the line of the running step is redrawn; elsewhere (CI, a file) it says every 15 s that it lives.
 */

const REDRAW_MILLISECONDS = 200;
const HEARTBEAT_MILLISECONDS = 15_000;
const NAME_WIDTH = 44;

/**
 * @typedef {object} Stream
 * @property {(text: string) => unknown} write
 * @property {boolean} [isTTY]
 * @property {number} [columns]
 */

/**
 * @typedef {(line: string) => void} OnLine what the running program just printed
 */

/**
 * @param {Stream} stream
 * @param {number} total number of steps
 * @param {() => number} [now] milliseconds
 */
export function createProgress(stream, total, now = Date.now) {
  let count = 0;

  /**
   * Runs one step and prints its line.
   *
   * @param {string} name
   * @param {(onLine: OnLine) => Promise<string> | string} work its result goes to the end of the line: "already done", "77 GB free"
   * @returns {Promise<void>}
   */
  async function step(name, work) {
    count += 1;
    const label = `  ${count}/${total}  ${name.padEnd(NAME_WIDTH)} `;
    const started = now();
    let last = "";
    const draw = () => {
      const line = `${label}${seconds(now() - started)}  ${last}`;
      stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`);
    };
    const beat = () => stream.write(`       … ${seconds(now() - started)}  ${last.slice(0, 100)}\n`);
    const timer = stream.isTTY ? setInterval(draw, REDRAW_MILLISECONDS) : setInterval(beat, HEARTBEAT_MILLISECONDS);
    timer.unref();
    const clear = stream.isTTY ? "\r\x1b[K" : "";
    try {
      const result = await work((line) => {
        last = line;
      });
      stream.write(`${clear}${label}${result || seconds(now() - started)}\n`);
    } catch (error) {
      stream.write(`${clear}${label}failed after ${seconds(now() - started)}\n`);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  return { step };
}

/**
 * @param {number} milliseconds
 * @returns {string} "0.4 s", "34 s", "2 min 05 s"
 */
export function seconds(milliseconds) {
  const whole = Math.round(milliseconds / 1000);
  if (whole < 10) return `${(milliseconds / 1000).toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
