import assert from "node:assert/strict";
import { test } from "node:test";
import { countDamage, countScripts, languageGuesser } from "../../src/data/text-quality.js";

test("countScripts() counts letters of each script, the most first, and no signs", () => {
  const counts = countScripts("Hello, мир! 世界 123 ᚠ");
  assert.deepEqual(
    [...counts],
    [
      ["Latin", 5],
      ["Cyrillic", 3],
      ["Han", 2],
      ["other", 1],
    ],
  );
  assert.equal(countScripts("… 42").size, 0);
});

test("languageGuesser() tells English, French, German and Russian, and says when it cannot", async () => {
  const guess = await languageGuesser();
  assert.equal(
    guess("Four score and seven years ago our fathers brought forth on this continent a new nation."),
    "eng",
  );
  assert.equal(
    guess("Longtemps, je me suis couché de bonne heure, et mes yeux se fermaient si vite que je dors."),
    "fra",
  );
  assert.equal(guess("Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich verwandelt."), "deu");
  const russian =
    "Все смешалось в доме Облонских. Жена узнала, что муж был в связи с бывшею в их доме француженкою-гувернанткой, и объявила мужу, что не может жить с ним в одном доме.";
  assert.equal(guess(russian), "rus");
  assert.equal(guess("ok"), "und");
});

test("countDamage() counts what an encoding mistake leaves", () => {
  const none = { replacements: 0, mojibake: 0, controls: 0, loneSurrogates: 0 };
  assert.deepEqual(countDamage("A café, “quoted”, naïve Ã and Â alone, tab\tand\r\nlines 😀"), none);
  assert.deepEqual(countDamage("caf\uFFFD \uFFFD"), { ...none, replacements: 2 });
  const asLatin1 = Buffer.from("café déjà “so”", "utf8").toString("latin1");
  assert.equal(countDamage(asLatin1).mojibake, 3);
  assert.equal(countDamage("itâ€™s").mojibake, 1);
  assert.deepEqual(countDamage("a\u0000b\u001b"), { ...none, controls: 2 });
  assert.deepEqual(countDamage("x\uD83Dy"), { ...none, loneSurrogates: 1 });
});
