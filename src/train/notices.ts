/**
 * What is said while a run is busy: that a program is being compiled, how far a download or a large text is. In: a run that
 * tells as it goes. Out: its events, with the notices between them at once and not after the wait. They are in no log.
 */
import type { NoticeEvent, TrainEvent } from "./events.js";

/**
 * Puts notices between events.
 *
 * @param begin starts the run; what it tells while an event is awaited is yielded before that event
 * @throws what the run throws
 */
export async function* withNotices(
  begin: (tell: (notice: NoticeEvent) => void) => AsyncGenerator<TrainEvent>,
): AsyncGenerator<TrainEvent> {
  const waiting: NoticeEvent[] = [];
  let wake = () => {};
  const events = begin((notice) => {
    waiting.push(notice);
    wake();
  });
  try {
    while (true) {
      let arrived = false;
      const next = events.next().finally(() => {
        arrived = true;
        wake();
      });
      next.catch(() => {}); // a consumer that leaves at a notice does not wait for it
      while (!arrived || waiting.length > 0) {
        const notice = waiting.shift();
        if (notice) yield notice;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      const { done, value } = await next;
      if (done) return;
      yield value;
    }
  } finally {
    await events.return(undefined);
  }
}
