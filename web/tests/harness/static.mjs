/**
 * A small web server for pages that are nobody's but the tests'.
 */
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { root } from "./places.mjs";

/** Serves texts by path for a test, `{ "/": ["text/html", "<p>..."] }`, and gives its address. */
export async function serve(t, files) {
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, "http://localhost").pathname];
    response.writeHead(file ? 200 : 404, { "Content-Type": file?.[0] ?? "text/plain" });
    response.end(file?.[1] ?? "not here\n");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** web/ itself, with offers handed on: while the server under test has no pages inside. */
export async function site(t, web, address = "127.0.0.1") {
  const kinds = { js: "text/javascript", wasm: "application/wasm", html: "text/html", css: "text/css", svg: "image/svg+xml" };
  const server = createServer((asked, response) => {
    const { pathname } = new URL(asked.url, "http://localhost");
    if (asked.method === "POST") {
      const on = request(`http://${web}/offer`, { method: "POST", headers: asked.headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      on.on("error", () => { response.writeHead(502); response.end(); });
      return asked.pipe(on);
    }
    try {
      const body = readFileSync(join(root, "web", pathname === "/" ? "page/index.html" : pathname));
      response.writeHead(200, { "Content-Type": kinds[pathname.split(".").pop()] ?? "text/html" });
      response.end(body);
    } catch {
      response.writeHead(404);
      response.end();
    }
  });
  await new Promise((ready) => server.listen(0, address, ready));
  t.after(() => server.close());
  return `http://${address}:${server.address().port}/`;
}

// In a namespace of its own: `node static.mjs WEB ADDRESS`.
if (process.argv[1]?.endsWith("static.mjs")) console.log(await site({ after() {} }, process.argv[2], process.argv[3]));
