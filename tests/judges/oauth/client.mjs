// The official TypeScript client, v1, which logs in by itself.
//
//   node client.mjs URL
//
// It reads words from standard input, one a line (`list`, `get`, `add`), does them over one
// connection and prints one line of JSON for each. It registers itself, logs in when it is told
// to, and asks for more scopes when it is told that it needs them.
import { createInterface } from "node:readline";

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { follow } from "./browser.mjs";

const BACK = "http://127.0.0.1:9/callback";
const url = new URL(process.argv[2]);
const kept = { logins: 0 };
let code;

const provider = {
  redirectUrl: BACK,
  clientMetadata: {
    client_name: "judge",
    redirect_uris: [BACK],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  redirectToAuthorization: async (at) => {
    kept.logins += 1;
    kept.asked = at.searchParams.get("scope");
    kept.resource = at.searchParams.get("resource");
    const back = await follow(at, BACK);
    code = back.searchParams.get("code");
    if (!code) throw new Error(`no code: ${back}`);
  },
};

let transport;
let client;

async function connect() {
  transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  client = new Client({ name: "judge-ts", version: "1" });
  await client.connect(transport);
}

// Does something, and once more after each login that it asks for.
async function logged(act) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || tries > 2) throw error;
      await transport.finishAuth(code);
    }
  }
}

const acts = {
  list: async () => (await client.listTools()).tools.map((tool) => tool.name),
  get: async () => (await client.callTool({ name: "get_book", arguments: { id: "b1" } })).structuredContent,
  add: async () => {
    const body = { id: "b2", title: "Tolls", pages: 9 };
    return (await client.callTool({ name: "add_book", arguments: { body } })).structuredContent;
  },
};

for await (const word of createInterface({ input: process.stdin })) {
  const told = {};
  try {
    if (!client) await logged(connect);
    told.result = await logged(acts[word]);
  } catch (error) {
    told.error = String(error);
  }
  const { logins, asked, resource, tokens } = kept;
  console.log(JSON.stringify({ ...told, logins, asked, resource, token: tokens?.access_token }));
}
process.exit(0);
