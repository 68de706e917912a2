/**
 * Counts the seconds of a wait. In: the progress after each event. Out: a call a second while the run is busy with something that it
 * named, so that the view can say for how long. It draws nothing.
 */
import type { Progress } from "./progress.js";

/** Counts while there is something to count. */
export interface BusyClock {
  /** Looks at the progress after an event. */
  after(progress: Progress): void;
  stop(): void;
}

/**
 * Starts to look.
 *
 * @param tick called once a second with the progress of the wait and how long it has lasted
 * @param now milliseconds
 * @param everyMs time between two calls; default 1,000
 */
export function busyClock(tick: (progress: Progress) => void, now: () => number, everyMs = 1000): BusyClock {
  let waiting: { readonly activity: string; readonly since: number; progress: Progress } | undefined;
  const timer = setInterval(() => {
    if (waiting) tick({ ...waiting.progress, activitySeconds: (now() - waiting.since) / 1000 });
  }, everyMs);
  return {
    after(progress) {
      const { activity } = progress;
      if (activity === undefined) waiting = undefined;
      else if (waiting?.activity === activity) waiting.progress = progress;
      else waiting = { activity, since: now(), progress };
    },
    stop: () => clearInterval(timer),
  };
}
