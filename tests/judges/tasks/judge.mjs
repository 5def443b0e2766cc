// The official client of MCP's tasks judges calls of a tool that is `long`.
//
//   node judge.mjs STAGE.PY TOLLBRIDGE
//
// One line a check; the last line is "N passed, N failed".

import { execFileSync } from 'node:child_process';

import { withTasks } from '@modelcontextprotocol/ext-tasks/client';

import { openStage, until } from './stage.mjs';

const VERSION = '2026-07-28';
const TASKS = 'io.modelcontextprotocol/tasks';
const CLIENT = { name: 'judge', version: '1' };
const [script, binary] = process.argv.slice(2);
const tally = { passed: 0, failed: 0 };

process.on('unhandledRejection', error => check('nothing fails unseen', false, error));

function check(what, holds, why) {
    tally[holds ? 'passed' : 'failed']++;
    const shown = why instanceof Error ? why.stack : JSON.stringify(why);
    console.log(holds ? `ok      ${what}` : `FAILED  ${what}: ${shown?.slice(0, 1500)}`);
}

/** The wire under the client: one request, one answer. */
async function post(url, key, request, options = {}) {
    const headers = new Headers(options.context?.headers);
    headers.set('content-type', 'application/json');
    headers.set('accept', 'application/json, text/event-stream');
    headers.set('mcp-protocol-version', VERSION);
    headers.set('mcp-method', request.method);
    headers.set('authorization', `Bearer ${key}`);
    const name = request.params?.name ?? request.params?.taskId;
    if (name !== undefined) headers.set('mcp-name', name);
    const params = { ...request.params };
    params._meta = {
        ...params._meta,
        'io.modelcontextprotocol/protocolVersion': VERSION,
        'io.modelcontextprotocol/clientInfo': CLIENT,
        'io.modelcontextprotocol/clientCapabilities': { extensions: options.tasks === false ? {} : { [TASKS]: {} } }
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...request, params });
    const answer = await fetch(url, { method: 'POST', headers, body, signal: options.signal });
    const message = await answer.json();
    return 'error' in message ? { kind: 'error', error: message.error } : { kind: 'result', result: message.result };
}

/** The client, as one identity. */
async function session(stage, key) {
    const found = await post(stage.http, key, { method: 'server/discover', params: {} });
    const capabilities = found.result?.capabilities?.extensions?.[TASKS];
    check('the server says that it knows tasks', capabilities !== undefined, found);
    const none = () => () => {};
    const port = {
        endpointId: stage.http,
        taskCapabilities: { generation: 'v2', capabilities },
        dispatch: (request, options) => post(stage.http, key, request, options),
        onServerRequest: none,
        onNotification: none,
        onInvalidated: none,
        invalidated: false
    };
    return withTasks(port, { onError: error => check('the client has nothing to complain of', false, error) });
}

async function play(stage, key, other) {
    const tasks = await session(stage, key);
    const book = { id: 'b1', title: 'Bridges', pages: 212 };

    const quick = await tasks.callTool('long_book', { id: 'b1', ms: 1 });
    check('a call that ends soon is no task', quick.kind === 'immediate', quick.kind);
    const soon = await quick.result();
    check('and has its result', JSON.stringify(soon).includes('Bridges'), soon);

    const slow = await tasks.callTool('long_book', { id: 'b1', ms: 2500 });
    check('one that takes long is a task', slow.kind === 'task', slow.kind);
    const id = slow.handle.taskId;
    const seen = [];
    for await (const event of slow.updates()) seen.push(event);
    check('it is seen to work', JSON.stringify(seen).includes('working'), seen);
    const outcome = await slow.result();
    check('it has its result', JSON.stringify(outcome).includes(JSON.stringify(book)), outcome);
    const again = await post(stage.http, key, { method: 'tasks/get', params: { taskId: id } });
    check('its result can be had again', again.result?.result?.structuredContent?.title === 'Bridges', again);
    const theirs = await post(stage.http, other, { method: 'tasks/get', params: { taskId: id } });
    check('for another identity it is not there', theirs.error?.code === -32602, theirs);

    const doomed = await tasks.callTool('long_book', { id: 'b1', ms: 30_000 });
    await doomed.cancel();
    const ended = await doomed.result();
    check('a task that is cancelled ends so', JSON.stringify(ended).includes('cancel'), ended);
    const hung = await until(() => stage.seen('/slow'), all => all.at(-1)?.ended === 'aborted');
    check('and hangs up at the API', hung.at(-1)?.ended === 'aborted', hung);

    const failing = await tasks.callTool('long_book', { id: 'nope', ms: 1200 });
    const failure = await failing.result();
    check('a failure is a result', JSON.stringify(failure).includes('upstream_error'), failure);

    const plain = { method: 'tools/call', params: { name: 'long_book', arguments: { id: 'b1', ms: 1200 } } };
    const waited = await post(stage.http, key, plain, { tasks: false });
    check('a client without tasks waits for its answer', waited.result?.structuredContent?.id === 'b1', waited);
    const refused = await post(stage.http, key, { method: 'tasks/get', params: { taskId: id } }, { tasks: false });
    check('and may not ask for tasks', refused.error?.code === -32021, refused);

    const trail = await stage.trail(call => call.tool === 'long_book');
    const outcomes = trail.map(call => call.outcome);
    const wanted = ['succeeded', 'succeeded', 'cancelled', 'upstream_error', 'succeeded'];
    check('the trail has each call, once, with its end', JSON.stringify(outcomes) === JSON.stringify(wanted), outcomes);
    await tasks.close();
}

let stage;
try {
    stage = await openStage(script, binary, '--http', '--keys');
} catch (error) {
    console.error(error.message);
    process.exit(2);
}
try {
    await stage.tools([], '\n[[tool]]\napi = "shelf"\noperation = "slowBook"\nname = "long_book"\nlong = true\n');
    const made = execFileSync(binary, ['key', 'new', 'second', '--json', '--config', stage.config], {
        env: { ...process.env, ...stage.env }
    });
    const other = JSON.parse(made).key;
    const list = { method: 'tools/list', params: {} };
    await until(() => post(stage.http, stage.key, list), answer => JSON.stringify(answer).includes('long_book'));
    await play(stage, stage.key, other);
} catch (error) {
    check('the judge comes to its end', false, error);
} finally {
    await stage.close();
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed > 0 ? 1 : 0);
