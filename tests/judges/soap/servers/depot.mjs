// The depots as the npm package `soap` serves them: node depot.mjs PORT SERVICES NODE_MODULES
//
// /literal and /encoded, from the WSDL documents in SERVICES. What a request was read as is
// answered as it is. /secured is the literal one behind WS-Security's UsernameToken.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';

const [port, services, modules] = process.argv.slice(2);
const soap = createRequire(path.join(modules, 'x.js'))('soap');

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

function expectedDigest(nonce, created) {
  const hash = createHash('sha1');
  hash.update(Buffer.from(nonce, 'base64'));
  hash.update(created + process.env.DEPOT_SECRET);
  return hash.digest('base64');
}

function authenticate(security) {
  const token = security?.UsernameToken;
  if (token?.Username !== 'judge') return false;
  const type = token.Password?.attributes?.Type ?? '';
  const text = token.Password?.$value ?? token.Password;
  if (!type.endsWith('#PasswordDigest')) return text === process.env.DEPOT_SECRET;
  const nonce = token.Nonce?.$value ?? token.Nonce;
  return text === expectedDigest(nonce, token.Created?.$value ?? token.Created);
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
