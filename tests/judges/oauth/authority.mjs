// An authorization server: oidc-provider on loopback, with a person who is always logged in and
// consents to everything.
//
//   node authority.mjs RESOURCE OPAQUE FOREIGN
//
// RESOURCE gets tokens that are signed, OPAQUE such that must be asked about, FOREIGN is another
// resource. It prints {"issuer", "control"} once it listens, and lives until its standard input
// ends. `control` is for the judge:
//
//   POST rotate      signs with another key from now on; the old one stays in the set
//   POST withdraw    takes the old keys out of the set
//   POST down | up   answers nothing, and again
//   GET  seen        how often the key set was asked for
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [resource, opaque, foreign] = process.argv.slice(2);
const SCOPES = ["mcp", "books:write"];
// What one process of it knows of another's signature: how many keys it had.
let number = 0;
let keys = [];
let provider;
let isDown = false;
let asked = 0;

function key() {
  number += 1;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: `k${number}`, use: "sig", alg: "RS256" };
}

function made(issuer) {
  const server = new Provider(issuer, {
    // The first one signs.
    jwks: { keys },
    scopes: ["openid", "offline_access", ...SCOPES],
    clients: [
      { client_id: "bridge", client_secret: "bridge s3cret/+", redirect_uris: [], grant_types: [], response_types: [] },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: () => ({ groups: ["readers"], tenant: "north" }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    cookies: { keys: ["for the browser of a test"] },
    issueRefreshToken: () => false,
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, wanted) => {
          const format = { [resource]: "jwt", [foreign]: "jwt", [opaque]: "opaque" }[wanted];
          if (!format) throw new Error(`no such resource: ${wanted}`);
          return {
            scope: SCOPES.join(" "),
            audience: wanted,
            accessTokenTTL: 600,
            accessTokenFormat: format,
            jwt: { sign: { alg: "RS256" } },
          };
        },
      },
    },
  });
  // Clients register for the scope that they were first told of; here they may ask for more later.
  server.on("registration_create.success", (_, client) => {
    server.Client.adapter.upsert(client.clientId, { ...client.metadata(), scope: SCOPES.join(" ") });
  });
  server.on("server_error", (_, error) => console.error(error));
  return server;
}

// The person.
async function consent(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: "alice" } });
  }
  const grant =
    (grantId && (await provider.Grant.find(grantId))) ||
    new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [of, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(of, scopes.join(" "));
  }
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  const answer = (value) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(value));
  };
  try {
    switch (pathname) {
      case "/control/rotate":
        keys = [key(), ...keys];
        provider = made(provider.issuer);
        return answer({ keys: keys.map((one) => one.kid) });
      case "/control/withdraw":
        keys = keys.slice(0, 1);
        provider = made(provider.issuer);
        return answer({ keys: keys.map((one) => one.kid) });
      case "/control/down":
      case "/control/up":
        isDown = pathname.endsWith("down");
        return answer({});
      case "/control/seen":
        return answer({ jwks: asked });
    }
    if (isDown) return request.socket.destroy();
    if (pathname === "/jwks") asked += 1;
    if (pathname.startsWith("/interaction/")) return await consent(request, response);
    await provider.callback()(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
});

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  keys = [key()];
  provider = made(issuer);
  console.log(JSON.stringify({ issuer, control: `${issuer}/control` }));
});
process.stdin.on("end", () => process.exit(0)).resume();
