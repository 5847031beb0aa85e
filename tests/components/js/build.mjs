// node build.mjs WIT OUT
import { componentize } from "@bytecodealliance/componentize-js";
import { readFile, writeFile } from "node:fs/promises";

const [witPath, out] = process.argv.slice(2);
const source = await readFile(new URL("app.js", import.meta.url), "utf8");
const { component } = await componentize(source, { sourceName: "app.js", witPath, worldName: "wasi:http/proxy@0.2.10" });
await writeFile(out, component);
