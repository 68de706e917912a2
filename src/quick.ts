/** Quick mode: the course at a size for tests. The one place that reads FLEDGE_QUICK. */

/**
 * Whether the course should run at its smallest size.
 *
 * @param environment default: process.env
 * @example
 * const numEpochs = isQuick() ? 1 : 3;
 */
export function isQuick(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return environment.FLEDGE_QUICK === "1";
}
