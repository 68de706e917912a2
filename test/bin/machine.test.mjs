// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDisk, checkNode, gigabytes } from "../../bin/setup/machine.mjs";

test("checkNode() refuses Node below 20.12 and says how to get a newer one", () => {
  assert.throws(() => checkNode("18.20.4"), {
    name: "SetupError",
    message:
      "Cannot run Fledge: Node 18.20.4, expected Node 20.12 or newer. Fix: install the current LTS release from https://nodejs.org, or run `nvm install 22`.",
  });
});

test("checkNode() refuses an early 20", () => {
  assert.throws(() => checkNode("20.11.1"), /Node 20\.11\.1, expected Node 20\.12 or newer/);
});

test("checkNode() takes Node 20.12 and everything after it", () => {
  assert.equal(checkNode("20.12.0"), "Node 20.12.0");
  assert.equal(checkNode("25.1.0-nightly"), "Node 25.1.0-nightly");
});

test("checkDisk() refuses a disk that is too full with what is there, what is needed and the difference", () => {
  assert.throws(() => checkDisk({ freeBytes: 2.1e9, neededBytes: 4e9, folder: "/home/ada/fledge" }), {
    name: "SetupError",
    message:
      "Cannot install packages in /home/ada/fledge: 2.1 GB free on that disk, expected at least 4.0 GB. Fix: free 1.9 GB there, or move this folder to a larger disk, and run the command again.",
  });
});

test("checkDisk() takes a disk with exactly enough room", () => {
  assert.equal(checkDisk({ freeBytes: 4e9, neededBytes: 4e9, folder: "/" }), "4.0 GB free");
});

test("gigabytes() never rounds to nothing", () => {
  assert.equal(gigabytes(3), "0.1 GB");
});
