/**
 * What cells find without an import. Out: the declarations that TypeScript checks cells against. The functions themselves
 * are made where they work: input.ts.
 */

/** Content of a declaration file for the kernel's global functions. */
export const GLOBAL_DECLARATIONS = `
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
`;
