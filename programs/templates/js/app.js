// {{name}}: counts visits. GET reads (a query), POST counts (a command).
import { open } from "wasi:keyvalue/store@0.2.0-draft2";
import { get } from "wasi:config/store@0.2.0-rc.1";
import { current } from "phala:program/context@1.0.0";

addEventListener("fetch", (event) => event.respondWith(handle(event.request)));

const text = new TextDecoder();
const bytes = new TextEncoder();

async function handle(request) {
  const bucket = open("visits");
  const stored = bucket.get("count");
  let count = stored ? Number(text.decode(stored)) : 0;
  if (request.method === "POST") {
    if (current().mode.tag !== "command") {
      return Response.json({ detail: "only a command may count: phala send {{name}} / -X POST" }, { status: 403 });
    }
    count += 1;
    bucket.set("count", bytes.encode(String(count)));
  }
  return Response.json({ greeting: get("greeting") ?? "Hello from {{name}}", count });
}
