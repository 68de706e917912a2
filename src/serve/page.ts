/**
 * The page at `/` to try a model: a text, a few settings, the continuation as it comes. In: the model's name and size. Out: one
 * HTML document that loads nothing from elsewhere, with the headers that hold it to that. Light and dark follow the reader.
 */
import { createHash } from "node:crypto";
import { escapeMarkup } from "../view/escape.js";
import { formatCount } from "../view/format.js";

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --field: #f6f8fa; --line: #8c959f; --accent: #0072b2; --on-accent: #ffffff; --added: #0b5c8a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #0d1117; --field: #161b22; --line: #6e7681; --accent: #56b4e9; --on-accent: #0d1117; --added: #8fd0f5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem; font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.35rem; margin: 0; }
p { margin: 0.25rem 0 1.25rem; color: var(--soft); }
label { display: block; font-size: 0.85rem; color: var(--soft); }
textarea, input { width: 100%; font: inherit; color: inherit; background: var(--field); border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem 0.65rem; }
textarea { min-height: 7rem; resize: vertical; }
fieldset { border: 0; padding: 0; margin: 0.9rem 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 0.75rem; }
button { font: inherit; font-weight: 600; padding: 0.5rem 1.1rem; border-radius: 6px; border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); cursor: pointer; }
button[disabled] { opacity: 0.45; cursor: default; }
button#stop { background: none; color: var(--accent); }
textarea:focus-visible, input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
output { display: block; min-height: 6rem; margin: 1.1rem 0 0.4rem; padding: 0.75rem 0.9rem; border-left: 3px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
output ins { text-decoration: none; color: var(--added); }
#state { font-size: 0.85rem; color: var(--soft); min-height: 1.5em; }
`;

const script = `
const form = document.querySelector("form"), out = document.querySelector("output"), state = document.getElementById("state");
const go = document.getElementById("go"), stop = document.getElementById("stop");
let running;
stop.onclick = () => running?.abort();
form.onsubmit = async (event) => {
  event.preventDefault();
  const field = (name) => form.elements[name].value;
  const prompt = field("prompt");
  const body = { prompt, stream: true, stream_options: { include_usage: true } };
  for (const name of ["max_tokens", "temperature", "top_p", "top_k", "seed"]) if (field(name) !== "") body[name] = Number(field(name));
  running = new AbortController();
  go.disabled = true; stop.disabled = false; state.textContent = "writing …";
  out.textContent = prompt;
  const added = out.appendChild(document.createElement("ins"));
  const began = performance.now();
  try {
    const response = await fetch("/v1/completions", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: running.signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", usage;
    for (let part; !(part = await reader.read()).done; ) {
      const lines = (rest + part.value).split("\\n\\n");
      rest = lines.pop();
      for (const line of lines) {
        const data = line.replace(/^data: /, "");
        if (data === "[DONE]") continue;
        const event = JSON.parse(data);
        if (event.error) throw new Error(event.error.message);
        added.append(event.choices[0]?.text ?? "");
        usage = event.usage ?? usage;
      }
    }
    const seconds = (performance.now() - began) / 1000;
    if (usage) state.textContent = usage.completion_tokens + " tokens in " + seconds.toFixed(1) + " s, " + (usage.completion_tokens / seconds).toFixed(0) + " a second";
  } catch (error) {
    state.textContent = error.name === "AbortError" ? "stopped" : error.message;
  } finally {
    go.disabled = false; stop.disabled = true;
  }
};
document.querySelector("textarea").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
};
`;

function hash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** Headers of the page: it may load nothing but its own style and script, and talk to its own server only. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; img-src data:; style-src ${hash(style)}; script-src ${hash(script)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "x-content-type-options": "nosniff",
};

/**
 * The page.
 *
 * @param modelId shown as its title
 * @param parameters how many weights the model has
 * @returns HTML
 */
export function page(modelId: string, parameters: number): string {
  const field = (name: string, label: string, value: string, hint: string) =>
    `<label>${label}<input name="${name}" inputmode="decimal" value="${value}" placeholder="${hint}"></label>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(modelId)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<h1>${escapeMarkup(modelId)}</h1>
<p>${formatCount(parameters)} parameters, on this machine. Write a beginning; the model goes on.</p>
<form>
<label for="prompt">Beginning</label>
<textarea id="prompt" name="prompt" autofocus>My fellow citizens,</textarea>
<fieldset>
${field("max_tokens", "Tokens", "100", "16")}
${field("temperature", "Temperature", "0.8", "1")}
${field("top_p", "Top-p", "0.95", "1")}
${field("top_k", "Top-k", "", "all")}
${field("seed", "Seed", "", "random")}
</fieldset>
<button id="go">Write</button> <button id="stop" type="button" disabled>Stop</button>
</form>
<output aria-live="polite"></output>
<div id="state" role="status">Ctrl+Enter writes, too.</div>
<script>${script}</script>
</body>
</html>
`;
}
