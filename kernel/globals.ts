/**
 * What cells find without an import. Out: the declarations that TypeScript checks cells against. The functions themselves
 * are made where they work: input.ts, session-comms.ts, and the library's views.
 */
import { join } from "node:path";

/**
 * Content of a declaration file for what cells find as globals.
 *
 * @param packageFolder Fledge's own folder, whose compiled declarations describe them
 */
export function globalDeclarations(packageFolder: string): string {
  const typeOf = (file: string, name: string) =>
    `typeof import(${JSON.stringify(join(packageFolder, "dist", file))}).${name}`;
  return `
/**
 * Asks the reader of the notebook for a line of text.
 *
 * @param prompt what is shown in front of the field
 * @param options \`password: true\` hides what is typed
 * @throws Error when the notebook runs where nobody can answer
 * @example
 * const name = await input("Your name: ");
 * const token = await input("Token: ", { password: true });
 */
declare function input(prompt?: string, options?: { readonly password?: boolean }): Promise<string>;
/** Shows a value in its best form, and gives a display that can be updated: \`display(1).update(2)\`. */
declare const display: ${typeOf("src/view/display.js", "display")};
/** Loops over something and shows how far it is: \`for (const file of progress(files)) …\`. */
declare const progress: ${typeOf("src/view/progress-of.js", "progress")};
/** Messages to and from widgets in the front end. */
declare const comms: import(${JSON.stringify(join(packageFolder, "dist", "kernel/session-comms.js"))}).Comms;
`;
}
