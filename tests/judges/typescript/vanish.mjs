// A client that is there to be killed: it connects, says what it started, begins a slow call,
// and waits for its answer.
//
//   node vanish.mjs KIND stdio|http STAGE MS

import { connect } from './clients.mjs';

const [kind, how, stage, ms] = process.argv.slice(2);
const connection = await connect(kind, how, JSON.parse(stage));
console.log(JSON.stringify({ server: connection.pid ?? null }));
await connection.call('slow_book', { id: 'b1', ms: Number(ms) });
