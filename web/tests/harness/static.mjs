/**
 * A small web server for pages that are nobody's but the tests'.
 */
import { createServer } from "node:http";

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
