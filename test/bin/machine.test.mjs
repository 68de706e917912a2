// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDisk, checkNode, gigabytes } from "../../bin/setup/machine.mjs";

test("checkNode() refuses Node below 20 and says how to get a newer one", () => {
  assert.throws(() => checkNode("18.20.4"), {
    name: "SetupError",
    message:
      "Cannot run Fledge: Node 18.20.4, expected Node 20 or newer. Fix: install the current LTS release from https://nodejs.org, or run `nvm install 20`.",
  });
});

test("checkNode() takes Node 20 and everything after it", () => {
  assert.equal(checkNode("20.0.0"), "Node 20.0.0");
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
