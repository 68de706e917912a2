import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { Json, Message } from "../../kernel/protocol.js";
import { runCell, whenPrinted, withKernel } from "./harness.js";

// anywidget's state protocol as its Deno package speaks it: state and buffers in comm_open, then updates both ways.
const WIDGET = `
class Counter {
  #state = { _model_module: "anywidget", _model_name: "AnyModel", _anywidget_id: "Counter", _esm: "export default {}", value: 1 };
  #comm = comms.open("jupyter.widget", {
    metadata: { version: "2.1.0" },
    data: { state: this.#state, buffer_paths: [["pixels"]] },
    buffers: [Uint8Array.of(1, 2, 255)],
  });
  constructor() {
    this.#comm.onMessage = ({ data, buffers }) => {
      if (data.method === "request_state") this.#comm.send({ method: "update", state: this.#state, buffer_paths: [] });
      if (data.method !== "update") return;
      Object.assign(this.#state, data.state);
      console.log("value is", this.#state.value, buffers.map((each) => [...each].join()));
    };
  }
  set value(value: number) {
    this.#state.value = value;
    this.#comm.send({ method: "update", state: { value }, buffer_paths: [] });
  }
  get value() { return this.#state.value; }
  get comm() { return this.#comm; }
  [Symbol.for("Jupyter.display")]() {
    return { "application/vnd.jupyter.widget-view+json": { version_major: 2, version_minor: 1, model_id: this.#comm.id } };
  }
}
const counter = new Counter();
counter;`;

test("comms carry messages both ways", async (t) => {
  await withKernel(async (client) => {
    const commOf = ({ messages }: { readonly messages: readonly Message[] }) =>
      messages.filter(({ header }) => header.msg_type.startsWith("comm_"));
    const commInfo = async (content: Json = {}) =>
      (await client.request("shell", "comm_info_request", content)).content.comms;
    let id = "";
    let first: Json = {};

    await t.test("a cell opens one: target, state, metadata and buffers arrive, comm_info lists it", async () => {
      const run = await runCell(client, WIDGET);
      const [open] = commOf(run);
      assert.equal(open?.header.msg_type, "comm_open", JSON.stringify(run.reply));
      assert.equal(open.content.target_name, "jupyter.widget");
      assert.deepEqual(open.metadata, { version: "2.1.0" });
      first = (open.content.data as Json).state as Json;
      assert.equal(first._model_module, "anywidget");
      assert.deepEqual(
        open.buffers.map((each) => [...each]),
        [[1, 2, 255]],
      );
      id = String(open.content.comm_id);
      const view = run.messages.find(({ header }) => header.msg_type === "execute_result")?.content.data as Json;
      assert.equal((view["application/vnd.jupyter.widget-view+json"] as Json).model_id, id);
      assert.deepEqual(await commInfo(), { [id]: { target_name: "jupyter.widget" } });
      assert.deepEqual(await commInfo({ target_name: "other" }), {});
    });

    await t.test(
      "the front end's update reaches the handler; what it prints belongs to the message; busy and idle",
      async () => {
        const heard = await client.comm("comm_msg", { comm_id: id, data: { method: "update", state: { value: 7 } } }, [
          Uint8Array.of(9, 8),
        ]);
        assert.equal(heard.map(({ content }) => String(content.text ?? "")).join(""), "value is 7 [ '9,8' ]\n");
        assert.equal((await runCell(client, "counter.value")).result, "7");
      },
    );

    await t.test("a cell's update and an answer to request_state go out on the comm", async () => {
      const [update] = commOf(await runCell(client, "counter.value = 8;"));
      assert.deepEqual(update?.content, {
        comm_id: id,
        data: { method: "update", state: { value: 8 }, buffer_paths: [] },
      });
      const [answer] = await client.comm("comm_msg", { comm_id: id, data: { method: "request_state" } });
      assert.deepEqual(answer?.content.data, {
        method: "update",
        state: { ...first, value: 8 },
        buffer_paths: [],
      });
    });

    await t.test("an open comm is heard while a cell waits", async () => {
      const { seen, onOutput } = whenPrinted("waiting");
      const run = runCell(
        client,
        "console.log('waiting'); while (counter.value !== 9) await new Promise((r) => setTimeout(r, 5)); 'moved'",
        { onOutput },
      );
      await seen;
      await client.comm("comm_msg", { comm_id: id, data: { method: "update", state: { value: 9 } } });
      assert.equal((await run).result, "'moved'");
    });

    await t.test("a handler that fails is told on stderr of its message and ends nothing", async () => {
      await runCell(client, "counter.comm.onMessage = () => { throw new RangeError('bad slider'); };");
      const heard = await client.comm("comm_msg", { comm_id: id, data: {} });
      assert.match(String(heard[0]?.content.text), /^RangeError: bad slider\n {4}at /);
    });

    await t.test("a handler without end can be interrupted", async () => {
      await runCell(client, "counter.comm.onMessage = () => { console.log('spinning'); while (true); };");
      const { seen, onOutput } = whenPrinted("spinning");
      const handled = client.comm("comm_msg", { comm_id: id, data: {} }, [], onOutput);
      await seen;
      await client.interrupt();
      assert.match((await handled).map(({ content }) => String(content.text)).join(""), /KeyboardInterrupt/);
      assert.equal((await runCell(client, "counter.value")).result, "9");
    });

    await t.test("the front end closes it", async () => {
      await runCell(client, "counter.comm.onClose = ({ data }) => console.log('closed because', data.why);");
      const heard = await client.comm("comm_close", { comm_id: id, data: { why: "removed" } });
      assert.equal(heard[0]?.content.text, "closed because removed\n");
      assert.equal((await runCell(client, "counter.comm.isOpen")).result, "false");
      assert.deepEqual(await commInfo(), {});
    });

    await t.test(
      "the front end opens one to a registered target, in the order of the cells; an unknown one is closed",
      async () => {
        const registering = runCell(
          client,
          "comms.register('echo', (comm, { data }) => { comm.send({ hello: data.name }); comm.onMessage = ({ data }) => comm.send(data); });",
        );
        const echo = randomUUID();
        const [hello] = await client.comm("comm_open", { comm_id: echo, target_name: "echo", data: { name: "Ada" } });
        await registering;
        assert.deepEqual(hello?.content, { comm_id: echo, data: { hello: "Ada" } });
        const [again] = await client.comm("comm_msg", { comm_id: echo, data: { n: 1 } });
        assert.deepEqual(again?.content.data, { n: 1 });
        const unknown = randomUUID();
        const [closed] = await client.comm("comm_open", { comm_id: unknown, target_name: "nobody", data: {} });
        assert.deepEqual([closed?.header.msg_type, closed?.content.comm_id], ["comm_close", unknown]);
        assert.deepEqual(Object.keys((await commInfo()) as Json), [echo]);
      },
    );

    await t.test("they close when the session ends", async () => {
      const strays: Message[] = [];
      client.onStray = (message) => strays.push(message);
      await runCell(client, "process.exit(0);");
      client.onStray = () => undefined;
      assert.equal(strays.filter(({ header }) => header.msg_type === "comm_close").length, 1);
      assert.deepEqual(await commInfo(), {});
    });
  });
});

test("subshells (JEP 91) run cells while the shell's cell waits", async (t) => {
  await withKernel(async (client) => {
    const control = async (type: string, content: Json = {}) =>
      (await client.request("control", type, content)).content;

    await t.test("are promised, made, listed and ended", async () => {
      const info = await control("kernel_info_request");
      assert.deepEqual(info.supported_features, ["kernel subshells"]);
      const { subshell_id } = await control("create_subshell_request");
      assert.deepEqual((await control("list_subshell_request")).subshell_id, [subshell_id]);
      assert.equal((await control("delete_subshell_request", { subshell_id })).status, "ok");
      assert.deepEqual((await control("list_subshell_request")).subshell_id, []);
      assert.equal(
        (await control("delete_subshell_request", { subshell_id: "gone" })).evalue,
        "Cannot find the subshell: gone, expected the id of a subshell, from create_subshell_request. Fix: create one first.",
      );
    });

    await t.test("results, errors and output stay with their own cell", async () => {
      const subshellId = String((await control("create_subshell_request")).subshell_id);
      const { seen, onOutput } = whenPrinted("waiting");
      const first = runCell(
        client,
        "let go = false; console.log('waiting'); while (!go) await new Promise((r) => setTimeout(r, 5)); console.log('went'); 'first'",
        { onOutput },
      );
      await seen;
      const failed = await runCell(client, "throw new Error('only here')", { subshellId });
      assert.equal(failed.reply.evalue, "only here");
      const second = await runCell(client, "console.log('beside'); go = true; 'second'", { subshellId });
      assert.deepEqual([second.stdout, second.result], ["beside\n", "'second'"]);
      const { stdout, result } = await first;
      assert.deepEqual([stdout, result], ["waiting\nwent\n", "'first'"]);
    });

    await t.test("an unknown one is refused", async () => {
      assert.match(
        String((await runCell(client, "1", { subshellId: "x" })).reply.evalue),
        /^Cannot find the subshell: x,/,
      );
    });
  });
});
