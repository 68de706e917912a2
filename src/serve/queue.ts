/**
 * How many requests are worked on, and how many may wait for it. In: who wants in. Out: a turn, or a refusal. First come, first
 * served; who gives up while waiting is forgotten. It knows nothing of HTTP.
 */
import { ApiError } from "./api-error.js";

/** Hands out turns. */
export class Queue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /**
   * @param concurrency turns at once, ≥ 1
   * @param places how many may wait
   * @param retryAfterSeconds what the refused are told
   */
  constructor(
    private readonly concurrency: number,
    private readonly places: number,
    private readonly retryAfterSeconds: number,
  ) {}

  /**
   * Waits for a turn.
   *
   * @param signal gives the place up
   * @returns call it when the turn is over; twice does no harm
   * @throws ApiError with status 429 when nobody more may wait; the reason of the signal
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.running >= this.concurrency) {
      if (this.waiting.length >= this.places) {
        const message = `The server is busy: ${this.running} requests are running and ${this.waiting.length} are waiting. Try again later.`;
        const headers = { "retry-after": String(this.retryAfterSeconds) };
        throw new ApiError(429, message, { code: "rate_limit_exceeded", headers });
      }
      // Whoever leaves hands over the turn, so `running` stays as it is.
      await new Promise<void>((resolve, reject) => {
        const begin = () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        const giveUp = () => {
          this.waiting.splice(this.waiting.indexOf(begin), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        this.waiting.push(begin);
      });
    } else this.running++;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    };
  }
}
