/**
 * A strict reader of the markup that the views write. In: SVG or HTML text in XML form. Out: its element names and text,
 * or an error that names the first fault. It knows tags, quoted attributes and entities, no doctypes and no CDATA.
 */

/** What was read. */
export interface Markup {
  /** Element names in order of opening. */
  readonly elements: readonly string[];
  /** The text of all elements, entities resolved, one line each. */
  readonly text: string;
}

/** Reads markup; throws an Error on an unclosed element, an unquoted attribute or a bare `&` or `<`. */
export function readMarkup(source: string): Markup {
  const elements: string[] = [];
  const open: string[] = [];
  const text: string[] = [];
  const token = /<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)|(<)/g;
  for (const [, closing, name = "", attributes = "", selfClosing, words, bare] of source.matchAll(token)) {
    if (bare) throw new Error(`Bare "<" inside <${open.at(-1)}>.`);
    const content = words ?? attributes;
    const fault = content.match(/&(?!(?:amp|lt|gt|quot|#39);)/);
    if (fault) throw new Error(`Bare "&" in ${JSON.stringify(content.slice(0, 80))}.`);
    if (words !== undefined) {
      if (words.trim() !== "") text.push(resolveEntities(words.trim()));
    } else if (closing) {
      const expected = open.pop();
      if (expected !== name) throw new Error(`</${name}> closes <${expected}>.`);
    } else {
      elements.push(name);
      if (!selfClosing) open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is not closed.`);
  return { elements, text: text.join("\n") };
}

function resolveEntities(text: string): string {
  return text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, "&");
}
