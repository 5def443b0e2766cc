// oidc-provider on loopback, with a person who is always logged in and consents to everything.
//
//   node authority.mjs KEY.pem
//
// KEY.pem is the public key of the client that signs. It prints {"issuer"} once it listens, and lives
// until its standard input ends.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const key = createPublicKey(readFileSync(process.argv[2])).export({ format: "jwk" });
const SECRET = "bridge s3cret/+";
const machine = { redirect_uris: [], grant_types: ["client_credentials"], response_types: [] };
const grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
const person = {
  grant_types: grants,
  response_types: ["code"],
  redirect_uris: ["http://127.0.0.1/callback"],
  application_type: "native",
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    scopes: ["openid", "offline_access", "read"],
    clients: [
      { client_id: "basic", client_secret: SECRET, token_endpoint_auth_method: "client_secret_basic", ...machine },
      { client_id: "post", client_secret: SECRET, token_endpoint_auth_method: "client_secret_post", ...machine },
      {
        client_id: "signs",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [{ ...key, kid: "k1", alg: "ES256", use: "sig" }] },
        ...machine,
      },
      { client_id: "person", client_secret: SECRET, token_endpoint_auth_method: "client_secret_basic", ...person },
      { client_id: "public", token_endpoint_auth_method: "none", ...person },
      { client_id: "api", client_secret: SECRET, token_endpoint_auth_method: "client_secret_post", ...machine },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    cookies: { keys: ["for the browser of a test"] },
    rotateRefreshToken: true,
    // So short that the bridge must renew it before the second call.
    ttl: { AccessToken: (_, __, client) => (client.grantTypes.includes("refresh_token") ? 2 : 600), ClientCredentials: 600 },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
  for (const told of ["grant.error", "grant.revoked", "revocation.error", "introspection.error"]) {
    provider.on(told, (...given) => console.error(told, given.map((one) => one?.error_detail ?? one?.message ?? "").join(" ")));
  }
  server.on("request", async (request, response) => {
    try {
      if (!request.url.startsWith("/interaction/")) return await provider.callback()(request, response);
      const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
      if (prompt.name === "login") {
        return await provider.interactionFinished(request, response, { login: { accountId: "alice" } });
      }
      const grant =
        (grantId && (await provider.Grant.find(grantId))) ||
        new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      const result = { consent: { grantId: await grant.save() } };
      return await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    } catch (error) {
      console.error(error);
      response.statusCode = 500;
      response.end(String(error));
    }
  });
  console.log(JSON.stringify({ issuer }));
});
process.stdin.on("end", () => process.exit(0)).resume();
