// Watches a run with the client named first, and prints each thing that happens as one JSON line.
// Usage: node watch.js ws|sse URL TOKEN RUN [slow|leave]
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [kind, url, token, run, mode] = process.argv.slice(2);
const say = (event) => console.log(JSON.stringify(event));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const authorization = `Bearer ${token}`;
const client =
  kind === "ws"
    ? createWs({
        url: url.replace("http", "ws"),
        webSocketImpl: WebSocket,
        connectionParams: { Authorization: authorization },
        retryAttempts: 20,
        retryWait: () => pause(100),
        shouldRetry: () => true,
        on: {
          connected: () => say({ event: "connected" }),
          closed: (closed) => say({ event: "closed", code: closed.code }),
        },
      })
    : createSse({
        url,
        headers: { Authorization: authorization },
        retryAttempts: 20,
        retry: () => pause(100),
        onMessage: undefined,
      });

async function watch(name, query) {
  try {
    for await (const result of client.iterate({ query, variables: { run } })) {
      say({ event: "next", name, ...result });
      if (mode === "slow") await pause(name === "state" ? 300 : 1);
      if (mode === "leave") process.kill(process.pid, "SIGKILL");
    }
    say({ event: "complete", name });
  } catch (error) {
    say({ event: "error", name, error: Array.isArray(error) ? error : { code: error.code, text: String(error.message ?? error) } });
  }
}

await Promise.all([
  watch("state", "subscription ($run: ID!) { taskRun(id: $run) { status progress { stage done total remainingSeconds } } }"),
  watch("log", "subscription ($run: ID!) { taskLog(run: $run) { id message } }"),
]);
await client.dispose();
