// Turns app.js into {{name}}.wasm, a component of the world in wit/.
import { componentize } from "@bytecodealliance/componentize-js";
import { readFile, writeFile } from "node:fs/promises";

const { component } = await componentize(await readFile("app.js", "utf8"), {
  sourceName: "app.js",
  witPath: "wit",
  worldName: "program",
});
await writeFile("{{name}}.wasm", component);
