// Runs every audit of graphql-http against the server named on the command line; prints one JSON line an audit.
import { auditServer } from "graphql-http";

const [url, token] = process.argv.slice(2);

// Every audit is made as a signed-in caller; a GET carries the header that a web page of another origin cannot send.
async function fetchFn(target, init = {}) {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(target, { ...init, headers });
}

for (const result of await auditServer({ url, fetchFn })) {
  const { id, name, status, reason } = result;
  console.log(JSON.stringify({ id, name, status, reason }));
}
