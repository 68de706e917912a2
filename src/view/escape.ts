/**
 * Text made safe to stand inside HTML or SVG. In: any string, trusted or not. Out: the same text with the characters
 * that markup reads replaced, and those that XML forbids removed. It does not clean markup that should stay markup.
 */

/**
 * Escapes text for element content and for attribute values in double or single quotes.
 *
 * @param text any text.
 * @returns text without markup characters, and without control characters that XML 1.0 forbids.
 * @example
 * escapeMarkup('a < "b"'); // "a &lt; &quot;b&quot;"
 */
export function escapeMarkup(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

/**
 * Escapes a value as JSON that can stand inside a `<script>` element: no character sequence ends or opens markup.
 *
 * @param value any JSON value.
 * @returns JSON text with `<`, `>`, `&` and the two line separators of JavaScript written as escapes.
 * @example
 * escapeScriptJson("</script>"); // '"\\u003c/script\\u003e"'
 */
export function escapeScriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
