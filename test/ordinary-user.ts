/** For tests of what a user may not do: root may do everything, so it puts its rights aside for the while of a test. */

// "nobody" on Debian; any number that owns nothing will do.
const nobody = 65_534;

/**
 * Runs work without the rights of root.
 *
 * @param work file operations on folders that others may enter
 */
export async function asOrdinaryUser<Result>(work: () => Promise<Result>): Promise<Result> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
