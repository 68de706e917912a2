/** Settings of the Hub client from environment variables. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hubSettings } from "../../src/hub/settings.js";

test("hubSettings() reads the variables that Python reads, and the saved token", async () => {
  const home = await mkdtemp(join(tmpdir(), "fledge-hub-settings-"));
  await writeFile(join(home, "token"), "hf_saved\n");
  const read = hubSettings({
    HF_HOME: home,
    HF_ENDPOINT: "https://hub.example/",
    https_proxy: "http://p:1",
    NO_PROXY: "a",
  });
  assert.equal(read.cacheFolder, join(home, "hub"));
  assert.equal(read.endpoint, "https://hub.example");
  assert.equal(read.token, "hf_saved");
  assert.deepEqual(read.proxies, { http: "", https: "http://p:1", none: "a" });
  assert.equal(read.offline, false);
  assert.equal(hubSettings({ HF_HOME: home, HF_TOKEN: "hf_set", HF_HUB_CACHE: "/c" }).token, "hf_set");
  assert.equal(hubSettings({ HF_HOME: home, HF_HUB_CACHE: "/c", HF_HUB_OFFLINE: "1" }).offline, true);
  assert.equal(hubSettings({ XDG_CACHE_HOME: "/x" }).cacheFolder, "/x/huggingface/hub");
  await rm(home, { recursive: true });
});
