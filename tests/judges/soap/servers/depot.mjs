// The depots as the npm package `soap` serves them: node depot.mjs PORT SERVICES NODE_MODULES
//
// /literal and /encoded, from the WSDL documents in SERVICES. What a request was read as is
// answered as it is. /secured is the literal one behind WS-Security's UsernameToken.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const [port, services, modules] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'x.js'));
const soap = require('soap');
const { passwordDigest } = require('soap/lib/utils');

// What the package reads as a Date it cannot write, and an xsi:type that it read it writes with a
// prefix that it does not declare: both are said again in the way that it wants.
function writable(value, key) {
  if (value instanceof Date) {
    return key === 'changed' ? value.toISOString() : value.toISOString().slice(0, 10);
  }
  if (Array.isArray(value)) return value.map((one) => writable(one, key));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, one]) => [name, writable(one, name)]);
  const made = Object.fromEntries(entries);
  const type = made.attributes?.['xsi:type'];
  if (type !== undefined) {
    const { ['xsi:type']: _, ...others } = made.attributes;
    const name = typeof type === 'string' ? type.split(':').at(-1) : type.type;
    made.attributes = { ...others, xsi_type: { prefix: 'd', type: name, xmlns: 'urn:depot' } };
  }
  return made;
}

const literal = {
  Depot: {
    Port: {
      Store: (request) => {
        const items = [].concat(writable(request.item));
        return { count: items.length, item: items, ...(request.note === undefined ? {} : { note: request.note }) };
      },
      Find: (request) => {
        throw {
          Fault: {
            faultcode: 'soap:Client',
            faultstring: `no item ${request.id} & no more`,
            detail: { Missing: { asked: request.id, closest: ['A-1', 'B-2'] } },
            statusCode: 500,
          },
        };
      },
      Whoami: (request, done, headers) => ({ name: headers?.Session?.token ?? headers?.Security?.UsernameToken?.Username ?? 'nobody' }),
    },
  },
};

const nonces = new Set();

// What the package's own client would send: its `passwordDigest` says what is right.
function authenticate(security) {
  const text = (node) => (node && typeof node === 'object' ? node.$value : node);
  const token = security?.UsernameToken;
  if (text(token?.Username) !== 'judge') return false;
  if (security.Timestamp !== undefined) {
    const [created, expires] = [security.Timestamp.Created, security.Timestamp.Expires].map((one) => Date.parse(text(one)));
    if (!(created <= Date.now() + 1000 && Date.now() < expires)) return false;
  }
  const type = token.Password?.attributes?.Type ?? '';
  if (!type.endsWith('#PasswordDigest')) return text(token.Password) === process.env.DEPOT_SECRET;
  const nonce = text(token.Nonce);
  if (nonces.has(nonce)) return false;
  nonces.add(nonce);
  return text(token.Password) === passwordDigest(nonce, text(token.Created), process.env.DEPOT_SECRET);
}

const server = http.createServer((request, response) => {
  response.statusCode = 404;
  response.end();
});
server.listen(Number(port), '127.0.0.1', () => {
  const wsdl = readFileSync(path.join(services, 'depot.wsdl'), 'utf8');
  for (const [where, guard] of [['/literal', null], ['/secured', authenticate]]) {
    const listening = soap.listen(server, { path: where, services: literal, xml: wsdl });
    if (guard) {
      listening.authenticate = guard;
    }
  }
});
