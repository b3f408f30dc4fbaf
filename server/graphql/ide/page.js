"use strict";
// The token lives in this tab's session storage only: it goes with the tab and no other tab or site sees it.
(function () {
  const KEY = "rollcall:token";
  const SAY = {
    missing: "Paste a token to begin: rollcall token create",
    checking: "Checking the token…",
    accepted: "Token accepted",
    refused: "This token is not valid",
    unreachable: "The server does not answer",
  };
  const DEFAULT_QUERY = `# Welcome to Rollcall: devices, users and groups
# from Microsoft Entra ID, in one inventory.
#
# 1. Paste an API token above.
# 2. Press Ctrl+Enter: the query under the cursor runs.
#
# Ctrl+Space completes. The book on the left is the
# documentation; the folder builds queries by clicking.

# Windows devices, the most recently seen first.
query WindowsDevices {
  assets(
    first: 20
    where: { os: { contains: "windows" } }
    orderBy: { field: LAST_SEEN, direction: DESC }
  ) {
    totalCount
    nodes {
      names
      os
      osVersion
      lastSeen
    }
    pageInfo {
      hasNextPage
      endCursor # "after" of the next page
    }
  }
}

# Everyone in engineering who may sign in.
query Engineers {
  users(
    first: 20
    where: {
      department: { eq: "Engineering" }
      accountEnabled: { eq: true }
    }
  ) {
    totalCount
    nodes {
      displayName
      userPrincipalName
      jobTitle
    }
  }
}

# Each change, as soon as it is there; the square stops it.
subscription Changes {
  inventoryChanged {
    inventory
    version
  }
}

# What a token may see and do.
query WhoAmI {
  viewer {
    name
    role
  }
}
`;
  const field = document.getElementById("token");
  const forget = document.getElementById("forget");
  const state = document.getElementById("state");
  const root = ReactDOM.createRoot(document.getElementById("graphiql"));
  const explorer = GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false });
  const endpoint = new URL("graphql", window.location.href.replace(/[?#].*$/, "")).href;
  let generation = 0;

  function token() {
    return window.sessionStorage.getItem(KEY) || "";
  }

  function show(name) {
    state.dataset.state = name;
    state.textContent = SAY[name];
    forget.hidden = !token();
  }

  function failure(message) {
    return { errors: [{ message: message }] };
  }

  // The answers of a subscription as they come, one event after the other; giving it up ends the request.
  function answersOf(response, request) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const end = { done: true, value: undefined };
    let text = "", isOver = false;
    async function next() {
      while (!isOver) {
        const border = text.indexOf("\n\n");
        if (border < 0) {
          const chunk = await reader.read();
          isOver = chunk.done;
          text += chunk.value || "";
          continue;
        }
        const lines = text.slice(0, border).split("\n");
        text = text.slice(border + 2);
        isOver = lines[0] === "event: complete";
        const data = lines.find((line) => line.startsWith("data: "));
        if (data && !isOver) { return { done: false, value: JSON.parse(data.slice(6)) }; }
      }
      return end;
    }
    return {
      [Symbol.asyncIterator]() { return this; },
      next() {
        return next().catch(function () {
          isOver = true;
          return request.signal.aborted ? end : { done: false, value: failure("The connection broke.") };
        });
      },
      return() {
        isOver = true;
        request.abort();
        return Promise.resolve(end);
      },
    };
  }

  async function fetcher(parameters) {
    const current = token();
    if (!current) {
      show("missing");
      return failure("No API token yet. Paste one in the bar at the top; `rollcall token create` makes one.");
    }
    const request = new AbortController();
    let response;
    try {
      response = await fetch(endpoint, {
        method: "POST",
        signal: request.signal,
        credentials: "omit",
        headers: {
          "accept": "application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.8",
          "content-type": "application/json",
          "authorization": "Bearer " + current,
        },
        body: JSON.stringify(parameters),
      });
    } catch (_) {
      show("unreachable");
      return failure("The server does not answer.");
    }
    show(response.status === 401 ? "refused" : "accepted");
    if ((response.headers.get("content-type") || "").startsWith("text/event-stream")) {
      return answersOf(response, request);
    }
    try {
      return await response.json();
    } catch (_) {
      return failure("The server answered " + response.status + " without JSON.");
    }
  }

  // A new key makes GraphiQL start afresh and read the schema with the new token; its tabs and history stay.
  function render() {
    generation += 1;
    root.render(React.createElement(GraphiQL, {
      key: generation,
      fetcher: fetcher,
      plugins: [explorer],
      defaultQuery: DEFAULT_QUERY,
      defaultEditorToolsVisibility: false,
      // The token has its own field; a headers editor would keep what is typed there in local storage.
      isHeadersEditorEnabled: false,
      shouldPersistHeaders: false,
      inputValueDeprecation: true,
    }));
  }

  document.getElementById("sign-in").addEventListener("submit", function (event) {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) { return; }
    window.sessionStorage.setItem(KEY, text);
    field.value = "";
    field.placeholder = "Another token…";
    show("checking");
    render();
  });

  forget.addEventListener("click", function () {
    window.sessionStorage.removeItem(KEY);
    field.placeholder = "rc_…";
    show("missing");
    render();
    field.focus();
  });

  show(token() ? "checking" : "missing");
  render();
})();
