// A service worker as componentize-js's own example writes one: streams what it is sent, in capitals.
addEventListener("fetch", (event) => event.respondWith(handle(event.request)));

async function handle(request) {
  const url = new URL(request.url);
  if (request.method === "GET") {
    return Response.json({ hello: "from javascript", path: url.pathname, query: url.search });
  }
  const text = (await request.text()).toUpperCase();
  const stream = new ReadableStream({
    start(controller) {
      for (const word of text.split(" ")) {
        controller.enqueue(new TextEncoder().encode(`${word}\n`));
      }
      controller.close();
    },
  });
  return new Response(stream, { status: 201, headers: { "content-type": "text/plain" } });
}
