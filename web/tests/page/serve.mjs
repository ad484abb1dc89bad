/**
 * Serves the page from its sources, as `consonance serve --web` does: with the mock in the binding's place, or with the real one and offers passed on.
 *
 *     node serve.mjs [PORT] [--offers http://127.0.0.1:7758]
 */

import { createReadStream } from "node:fs";
import { createServer, request } from "node:http";
import { extname, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../", import.meta.url));
const MOCK = fileURLToPath(new URL("mock-consonance.js", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm" };
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/**
 * @param {{ port?: number, offers?: string }} [options] without `offers` the mock is served
 * @returns {Promise<{ url: string, close(): void }>}
 */
export function serve({ port = 0, offers } = {}) {
  const server = createServer((asked, answer) => (asked.method === "POST" && offers ? passOn(asked, answer, offers) : file(asked, answer, !offers)));
  return new Promise((ready) => server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    ready({ url: `http://127.0.0.1:${typeof address === "object" && address?.port}/`, close: () => void (server.closeAllConnections(), server.close()) });
  }));
}

function file(asked, answer, mocked) {
  const path = normalize(decodeURIComponent(new URL(asked.url, "http://x").pathname));
  const allowed = path === "/" || /^\/page\/[\w.-]+$/.test(path) || /^\/(parts\/)?[\w-]+\.(js|wasm)$/.test(path);
  if (!allowed) return answer.writeHead(404).end();
  const name = path === "/" ? `${WEB}page/index.html` : mocked && path === "/consonance.js" ? MOCK : WEB + path.slice(1);
  const stream = createReadStream(name);
  stream.on("error", () => answer.writeHead(404).end());
  stream.on("open", () => {
    answer.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": POLICY, "cache-control": "no-store", "x-content-type-options": "nosniff" });
    stream.pipe(answer);
  });
}

function passOn(asked, answer, offers) {
  const onward = request(new URL(asked.url, offers), { method: "POST", headers: { ...asked.headers, host: new URL(offers).host } }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  onward.on("error", () => answer.writeHead(502).end("the server doesn't answer"));
  asked.pipe(onward);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--offers");
  const { url } = await serve({ port: Number(process.argv[2]) || 8080, offers: at > 0 ? process.argv[at + 1] : undefined });
  console.log(url);
}
