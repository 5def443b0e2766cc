// node-soap reads an envelope and writes what it read: benches/soap/run.py runs this.
"use strict";

const fs = require("node:fs");
const soap = require("soap");

const SECONDS = 2;

const [wsdl, file] = process.argv.slice(2);
const envelope = fs.readFileSync(file, "utf8");
const now = () => performance.now();

// Answers at once, so that what is measured is the writing before it and the reading after it.
const http = {
  request(url, message, callback) {
    this.message = message;
    this.written = now();
    callback(null, { statusCode: 200, headers: {} }, envelope);
  },
};

async function main() {
  const client = await soap.createClientAsync(wsdl, { httpClient: http, disableCache: true });
  const call = (body) =>
    new Promise((resolve, reject) => {
      const start = now();
      client.echo(body, (error, result) => {
        if (error) reject(error);
        else resolve({ result, encode: http.written - start, decode: now() - http.written });
      });
    });
  let { result } = await call({ item: [] });
  const best = { encode_ms: Infinity, decode_ms: Infinity };
  for (const began = now(); now() - began < 2 * SECONDS * 1e3; ) {
    const one = await call(result);
    best.encode_ms = Math.min(best.encode_ms, one.encode);
    best.decode_ms = Math.min(best.decode_ms, one.decode);
  }
  console.log(JSON.stringify({ ...best, bytes: http.message.length, rows: result.item.length }));
}

main();
