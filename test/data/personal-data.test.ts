import assert from "node:assert/strict";
import { test } from "node:test";
import { findPersonalData } from "../../src/data/personal-data.js";

const kinds = (text: string) => findPersonalData(text).map(({ kind }) => kind);
// Put together here, so that no scanner takes this file for a leak.
const key = (...parts: string[]) => parts.join("");

test("findPersonalData() finds the usual forms of each kind", () => {
  assert.deepEqual(kinds("mail ada+notes@mail.example.co.uk."), ["e-mail"]);
  for (const phone of ["+44 20 7946 0958", "+1 (212) 555-0123", "(212) 555-0123", "212-555-0123", "+49 30 901820"])
    assert.deepEqual(kinds(`call ${phone} now`), ["phone"], phone);
  const keys = [
    key("sk", "-", "abcdefghijklmnopqrstuvwx"),
    key("hf", "_", "abcdefghijklmnopqrstuvwxyzabcdefgh"),
    key("gh", "p_", "abcdefghijklmnopqrstuvwxyz0123456789"),
    key("AKI", "A", "IOSFODNN7EXAMPLE"),
    key("-----BEGIN ", "RSA PRIVATE", " KEY-----"),
  ];
  for (const text of keys) assert.deepEqual(kinds(`token=${text}`), ["key"], text);
  assert.deepEqual(kinds("card 4111 1111 1111 1111"), ["card"]);
});

test("findPersonalData() leaves years, amounts, versions, dates and hashes alone", () => {
  for (const text of [
    "in 1790, 1791 and 1792",
    "$1,234,567.89",
    "version 10.12.2048",
    "on 2024-11-24 at 10:30:00",
    "sha 86c4e6aa9dc6f4b7e8a0d1c2b3a4958677665544",
    "4111 1111 1111 1112",
    "0000000000000000",
    "user@host",
    "pages 100-200",
    "3.141592653589793",
  ])
    assert.deepEqual(kinds(text), [], text);
});

test("findPersonalData() masks what it found and says where", () => {
  assert.deepEqual(findPersonalData("to ada@example.org"), [{ kind: "e-mail", masked: "ad… (15)", index: 3 }]);
});
