// What every client does, in each era that it speaks, over each transport.
//
// A scenario gets `s`: `check(what, holds, why)`, `na(what, why)`, the stage, the names of client
// and transport, and `open()`, which connects and closes what it opened when the scenario ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as dial, createServer as createTcpServer } from 'node:net';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { alive, sleep, until } from './stage.mjs';

const TOOLS = ['list_books', 'get_book', 'add_book', 'slow_book', 'flaky_book', 'drop_book'];
const B1 = { id: 'b1', title: 'Bridges', pages: 212 };
const BROKEN = { id: 7, pages: 'many', shelf: null };
const LONG = 50_000;

/** The value of the first text block. */
export function textValue(result) {
    const block = result.content.find(block => block.type === 'text');
    return block && JSON.parse(block.text);
}

/** A tool error's code, or what there is instead. */
export function errorCode(result) {
    return result.isError ? result.structuredContent?.error?.code ?? 'an error without code' : 'no error';
}

/** What a promise rejects with. */
export async function rejection(promise) {
    try {
        return { fulfilled: await promise };
    } catch (error) {
        return error;
    }
}

// Slow reads are told apart by how long they were to take.
let nextMs = LONG;
const uniqueMs = () => nextMs++;
const slowCall = ms => call => call.tool === 'slow_book' && call.arguments?.ms === ms;

export async function basics(s) {
    const c = await s.open();
    s.check('the version is the one that this client asks for', c.version === s.version, c.version);
    s.check('the server says its name', c.server?.name === 'shelf', c.server);
    const tools = await c.list();
    const names = tools.map(tool => tool.name);
    s.check('the list is what the file says, in its order', isDeepStrictEqual(names, TOOLS), names);
    const described = tools.filter(tool => tool.outputSchema).map(tool => tool.name);
    s.check('results are described', described.includes('get_book') && described.includes('list_books'), described);

    const book = await c.call('get_book', { id: 'b1' });
    s.check('a call has a structured result', isDeepStrictEqual(book.structuredContent, B1), book);
    s.check('the same stands as text', isDeepStrictEqual(textValue(book), B1), book.content);
    s.check('it is no error', book.isError === false, book);
    const about = book._meta?.['tollbridge/call'];
    s.check('the result names its call', about?.id && about.attempts === 1 && about.status === 200, book._meta);
    const [recorded] = await s.stage.trail(call => call.id === about?.id);
    s.check('the trail has that call', recorded?.outcome === 'succeeded' && recorded.identity === s.identity, recorded);

    const books = await c.call('list_books', {});
    s.check('a list is wrapped as an object', isDeepStrictEqual(books.structuredContent, { result: [B1] }), books.structuredContent);
    const tolls = { id: 'b2', title: 'Tolls', pages: 9 };
    const added = await c.call('add_book', { body: tolls });
    s.check('a write answers', isDeepStrictEqual(added.structuredContent, tolls), added);
    const again = await c.call('get_book', { id: 'b2' });
    s.check('a write took effect', isDeepStrictEqual(again.structuredContent, tolls), again);
}

export async function refusals(s) {
    const c = await s.open();
    await c.list();
    const missing = await c.call('get_book', { id: 'none' });
    s.check('an upstream\'s refusal is a tool error that arrives', errorCode(missing) === 'upstream_error', missing);
    s.check('it says what the upstream said', missing.structuredContent?.error?.upstream?.status === 404, missing);
    s.check('the same stands as text', isDeepStrictEqual(textValue(missing), missing.structuredContent), missing.content);

    const before = (await s.stage.seen()).length;
    const unknown = await c.call('get_book', { id: 'b1', colour: 'red' });
    s.check('an unknown argument is refused', errorCode(unknown) === 'invalid_arguments', unknown);
    const pointers = unknown.structuredContent?.error?.violations?.map(violation => violation.pointer);
    s.check('the refusal points at the argument', isDeepStrictEqual(pointers, ['/colour']), pointers);
    const wrong = await c.call('add_book', { body: { id: 'b3', title: 'x', pages: 'many' } });
    s.check('a value of another type is refused', errorCode(wrong) === 'invalid_arguments', wrong);
    const none = await c.call('get_book', {});
    s.check('a missing argument is refused', errorCode(none) === 'invalid_arguments', none);
    const after = await s.stage.seen();
    s.check('nothing of these was sent', after.length === before, after.slice(before));

    const error = await rejection(c.call('drop_books', {}));
    s.check('an unknown tool is a protocol error', error.code === -32602, error);
    const fine = await c.call('get_book', { id: 'b1' });
    s.check('the connection goes on after all this', isDeepStrictEqual(fine.structuredContent, B1), fine);
}

// The published outputSchema describes and never binds: these clients throw away what breaks it.
export async function drift(s) {
    const c = await s.open();
    const tool = (await c.list()).find(tool => tool.name === 'get_book');
    const broken = await c.call('get_book', { id: 'broken' });
    s.check('an answer that breaks its schema arrives', isDeepStrictEqual(broken.structuredContent, BROKEN), broken);
    s.check('it is no error', broken.isError === false, broken);
    const places = broken._meta?.['tollbridge/drift']?.map(place => place.pointer).sort();
    s.check('it is marked as drift, with its places', places?.includes('/id') && places.includes('/pages'), broken._meta);
    const picture = await c.call('get_book', { id: 'picture' });
    const image = picture.content.find(block => block.type === 'image');
    s.check('a picture where an object was described arrives', image?.mimeType === 'image/png' && !picture.isError, picture);

    // The other side of it: the client does look, and a schema that binds would lose the answer.
    const binding = { type: 'object', required: ['title'], properties: { id: { type: 'string' } } };
    const strict = { ...tool, outputSchema: binding };
    let lost;
    if (s.kind.startsWith('v1')) {
        c.client.cacheToolMetadata([strict]);
        lost = await rejection(c.call('get_book', { id: 'broken' }));
    } else {
        lost = await rejection(c.call('get_book', { id: 'broken' }, { toolDefinition: strict }));
    }
    s.check('a schema that binds would have lost it', /output schema/.test(lost.message), lost);
}

/** A list above what a model reads is cut, and what is left still goes past its schema. */
export async function cutting(s) {
    const c = await s.open();
    await c.list();
    const shelf = Array.from({ length: 1200 }, (_, n) => ({ id: `c${n}`, title: `Volume ${n}`, pages: n + 1 }));
    // Straight to the upstream, the first one first, the others beside each other.
    const headers = { 'X-API-Key': s.stage.env.SHELF_KEY };
    const put = async body => (await fetch(`${s.stage.upstream}/books`, { method: 'POST', body: JSON.stringify(body), headers })).text();
    await put(shelf[0]);
    await Promise.all(Array.from({ length: 8 }, async (_, lane) => {
        for (let n = lane + 1; n < shelf.length; n += 8) await put(shelf[n]);
    }));
    const result = await c.call('list_books', {});
    const rows = result.structuredContent?.result;
    s.check('a long list arrives by rows', rows?.length > 100 && rows.length < 1200 && rows[1].id === 'c0', rows?.length);
    s.check('the same stands as text', isDeepStrictEqual(textValue(result), result.structuredContent), result.content);
    const note = result.content[1]?.text;
    s.check('what was cut is said beside it', result._meta?.['tollbridge/cut'] && note?.includes('1201'), [result._meta, note]);
}

/** A price is asked for in the form of x402, which no output schema knows. */
export async function paying(s) {
    const facilitator = createServer((_, answer) => {
        answer.setHeader('content-type', 'application/json').end('{"kinds":[],"extensions":[],"signers":{}}');
    }).listen(0, '127.0.0.1');
    await once(facilitator, 'listening');
    const c = await s.open({ listen: true });
    try {
        const told = c.changed();
        await s.stage.tools([], `
[settlement]
facilitator = "http://127.0.0.1:${facilitator.address().port}"
pay_to = "0x0000000000000000000000000000000000000001"
network = "eip155:84532"
assets = { USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e" }

[[tool]]
api = "shelf"
operation = "getBook"
name = "buy_book"
price = "0.01 USDC"
`);
        await told;
        const tool = (await c.list()).find(tool => tool.name === 'buy_book');
        s.check('a tool with a price describes its result', tool?.outputSchema, tool);
        const asked = await c.call('buy_book', { id: 'b1' });
        const error = asked._meta?.['tollbridge/error'];
        s.check('what it costs arrives as x402 has it', asked.structuredContent?.accepts?.length === 1, asked);
        s.check('and as our error beside it', asked.isError && error?.code === 'payment_required', asked);
    } finally {
        const told = c.changed();
        await s.stage.tools([]);
        await told;
        facilitator.close();
    }
}

export async function cancelling(s) {
    const c = await s.open();
    const ms = uniqueMs();
    const cancel = new AbortController();
    const call = rejection(c.call('slow_book', { id: 'b1', ms }, { signal: cancel.signal }));
    const path = `ms=${ms}`;
    const sent = await until(() => s.stage.seen(path), seen => seen.length > 0);
    s.check('a slow call is under way', sent[0]?.ended === 'open', sent);
    cancel.abort('enough');
    const error = await call;
    s.check('cancelling ends the call at once', !error.fulfilled, error);
    const seen = await until(() => s.stage.seen(path), seen => seen[0]?.ended !== 'open', 5000);
    s.check('the upstream\'s request is aborted', seen.length === 1 && seen[0].ended === 'aborted', seen);
    const [recorded] = await until(() => s.stage.trail(slowCall(ms)), calls => calls[0]?.outcome, 5000);
    s.check('the trail says that it was cancelled', recorded?.outcome === 'cancelled', recorded);
    const fine = await c.call('get_book', { id: 'b1' });
    s.check('the connection goes on after a cancelled call', isDeepStrictEqual(fine.structuredContent, B1), fine);

    // What a client's own time-out sends is the same as a person's.
    const late = uniqueMs();
    const timed = await rejection(c.call('slow_book', { id: 'b1', ms: late }, { timeout: 500 }));
    s.check('a client\'s time-out is a cancellation too', /timed out/i.test(timed.message), timed);
    const [ended] = await until(() => s.stage.trail(slowCall(late)), calls => calls[0]?.outcome, 5000);
    s.check('and is recorded as one', ended?.outcome === 'cancelled', ended);
}

export async function progress(s) {
    const c = await s.open();
    await s.stage.reset();
    const steps = [];
    const result = await c.call('flaky_book', { id: 'b1' }, { onprogress: step => steps.push(step) });
    const told = steps.length;
    s.check('a call that had to be repeated succeeds', isDeepStrictEqual(result.structuredContent, B1), result);
    s.check('it says how often it was tried', result._meta?.['tollbridge/call']?.attempts === 3, result._meta);
    s.check('progress was told', told > 0, steps);
    const increases = steps.every((step, n) => n === 0 || step.progress > steps[n - 1].progress);
    s.check('it increases with each notification', increases, steps);
    await sleep(200);
    s.check('none comes after the end', steps.length === told, steps);
    const plain = await c.call('flaky_book', { id: 'b1' });
    s.check('a call without a token is told of none', isDeepStrictEqual(plain.structuredContent, B1), plain);
}

export async function holding(s) {
    const c = await s.open();
    await c.list();
    await s.stage.reset();
    const drop = (id, meta) => c.call('drop_book', { id }, { meta });
    const hold = result => result.structuredContent?.error?.hold?.id;
    await c.call('add_book', { body: { ...B1, id: 'd1' } });
    const held = await drop('d1');
    s.check('a call that a person must approve is held', errorCode(held) === 'held' && hold(held), held);
    const asked = await drop('d1');
    s.check('made again before that, it answers the same hold', hold(asked) === hold(held), asked);
    const other = await drop('d2');
    s.check('other arguments are another hold', hold(other) && hold(other) !== hold(held), other);
    const nothing = (await s.stage.seen('/books/d')).filter(request => request.method === 'DELETE');
    s.check('nothing was sent', nothing.length === 0, nothing);
    await s.stage.approve(hold(held));
    const done = await drop('d1');
    s.check('once approved, the same call goes on', done.isError === false && isDeepStrictEqual(done.structuredContent, {}), done);
    const gone = await c.call('get_book', { id: 'd1' });
    s.check('it took effect', errorCode(gone) === 'upstream_error', gone);
    const anew = await drop('d1');
    s.check('once only: then it is held anew', errorCode(anew) === 'held' && hold(anew) !== hold(held), anew);

    await c.call('add_book', { body: { ...B1, id: 'd3' } });
    const third = await drop('d3');
    await s.stage.approve(hold(third));
    const named = await drop('d3', { 'tollbridge/approval': hold(third) });
    s.check('a call that names its approval goes on', named.isError === false, named);
    const spent = await drop('d3', { 'tollbridge/approval': hold(third) });
    s.check('an approval is used once', spent.isError === true, spent);
}

export async function reloading(s) {
    const c = await s.open({ listen: true });
    const without = TOOLS.filter(name => name !== 'get_book');
    const before = (await c.list()).map(tool => tool.name);
    s.check('the list is whole before', isDeepStrictEqual(before, TOOLS), before);
    try {
        const told = c.changed();
        await s.stage.tools(['get_book']);
        const change = await told;
        s.check('a reload is told', !change.error && isDeepStrictEqual(change.names, without), change);
        const after = (await c.list()).map(tool => tool.name);
        s.check('the new list is the file\'s', isDeepStrictEqual(after, without), after);
        const error = await rejection(c.call('get_book', { id: 'b1' }));
        s.check('a tool that is gone is unknown', error.code === -32602, error);
    } finally {
        const told = c.changed();
        await s.stage.tools([]);
        const back = await told;
        s.check('its return is told as well', isDeepStrictEqual(back.names, TOOLS), back);
    }
    const book = await c.call('get_book', { id: 'b1' });
    s.check('and it can be called again', isDeepStrictEqual(book.structuredContent, B1), book);
}

/** A subscription by hand, as only the newest revision has it. */
export async function listening(s) {
    if (!s.modern) return s.na('a subscription that the client opens itself', 'this revision has none');
    const c = await s.open();
    let told = 0;
    c.client.setNotificationHandler('notifications/tools/list_changed', () => void told++);
    const subscription = await c.client.listen({ toolsListChanged: true, promptsListChanged: true });
    s.check('a subscription says what it honours', isDeepStrictEqual(subscription.honoredFilter, { toolsListChanged: true }), subscription.honoredFilter);
    await s.stage.tools(['list_books']);
    await until(() => told, told => told > 0);
    s.check('it is told of a reload, once', told === 1, told);
    await subscription.close();
    s.check('it ends when the client closes it', (await subscription.closed) === 'local');
    await s.stage.tools([]);
    await until(async () => (await c.list()).length, length => length === TOOLS.length);
    await sleep(100);
    s.check('and is told of nothing after', told === 1, told);
}

export async function manyCalls(s) {
    const c = await s.open();
    await c.list();
    await s.stage.reset();
    const shelf = Array.from({ length: 20 }, (_, n) => ({ id: `n${n}`, title: `Volume ${n}`, pages: n + 1 }));
    for (const body of shelf) await c.call('add_book', { body });
    const count = s.smoke ? 200 : 2000;
    const wrong = [];
    let next = 0;
    const began = Date.now();
    // Sixteen at a time: answers must find the call that they belong to.
    await Promise.all(Array.from({ length: 16 }, async () => {
        while (next < count) {
            const book = shelf[next++ % shelf.length];
            const result = await c.call('get_book', { id: book.id });
            if (!isDeepStrictEqual(result.structuredContent, book)) wrong.push(result);
        }
    }));
    const rate = Math.round(count / ((Date.now() - began) / 1000));
    s.check(`${count} calls over one connection each have their own answer (${rate}/s)`, wrong.length === 0, wrong.slice(0, 3));
    const seen = (await s.stage.seen('/books/n')).filter(request => request.method === 'GET').length;
    s.check('each reached the upstream once', seen === count, seen);
    const recorded = (await s.stage.trail(call => call.tool === 'get_book', count + 100)).slice(-count);
    const ended = recorded.filter(call => call.outcome === 'succeeded').length;
    s.check('each is in the trail with its end', ended === count, `${ended} of ${recorded.length}`);
}

export async function manyClients(s) {
    const count = s.smoke ? 10 : 50;
    await s.stage.reset();
    const opened = await Promise.allSettled(Array.from({ length: count }, () => s.open({ timeout: 60_000 })));
    const clients = opened.flatMap(result => result.value ?? []);
    const refused = opened.find(result => result.reason)?.reason;
    s.check(`${count} clients connect at once`, clients.length === count, refused);
    const used = await Promise.allSettled(clients.map(async c => {
        const names = (await c.list()).map(tool => tool.name);
        const result = await c.call('get_book', { id: 'b1' }, { timeout: 60_000 });
        return isDeepStrictEqual(names, TOOLS) && isDeepStrictEqual(result.structuredContent, B1) ? true : Promise.reject(result);
    }));
    const failed = used.filter(result => result.status === 'rejected');
    s.check('each lists and calls', failed.length === 0, failed.slice(0, 2).map(result => result.reason));
    await Promise.all(clients.map(c => c.close()));
    const left = await until(() => clients.filter(c => c.pid && alive(c.pid)).length, left => left === 0);
    if (s.how === 'stdio') s.check('no server outlives its client', left === 0, `${left} are left`);
}

/** A client that is killed in the middle of a call (vanish.mjs). */
export async function vanishing(s) {
    const other = s.how === 'http' ? await s.open() : undefined;
    // Where a lost connection does not end the call, the upstream's answer does.
    const ms = s.how === 'http' && !s.modern ? uniqueMs() - LONG + 3000 : uniqueMs();
    const words = [new URL('vanish.mjs', import.meta.url).pathname, s.kind, s.how, JSON.stringify(s.stage), String(ms)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { server } = JSON.parse(await new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', resolve);
        child.once('exit', status => reject(new Error(`the client that was to vanish ended with ${status}`)));
    }));
    const path = `ms=${ms}`;
    const sent = await until(() => s.stage.seen(path), seen => seen.length > 0);
    s.check('a slow call of another process is under way', sent[0]?.ended === 'open', sent);
    const gone = new Promise(resolve => child.removeAllListeners('exit').once('exit', resolve));
    child.kill('SIGKILL');
    await gone;

    const [recorded] = await until(() => s.stage.trail(slowCall(ms)), calls => calls[0]?.outcome, 15_000);
    const seen = await s.stage.seen(path);
    if (s.how === 'http' && !s.modern) {
        // 2025-11-25, transports: a disconnection is not to be taken as a cancellation.
        s.check('its call goes on to its end', recorded?.outcome === 'succeeded', recorded);
        s.check('and the upstream has answered it', seen[0]?.ended === 'answered', seen);
    } else {
        s.check('its call ends as cancelled in the trail', recorded?.outcome === 'cancelled', recorded);
        s.check('and the upstream\'s request is aborted', seen[0]?.ended === 'aborted', seen);
    }
    if (s.how === 'stdio') {
        const left = await until(() => alive(server), there => !there);
        s.check('its server ends by itself', left === false, `process ${server} is still there`);
    } else {
        const fine = await other.call('get_book', { id: 'b1' });
        s.check('others are served on', isDeepStrictEqual(fine.structuredContent, B1), fine);
    }
}

/** A proxy that can break every connection through it. */
async function openProxy(port) {
    const sockets = new Set();
    const proxy = createTcpServer(client => {
        const server = dial(port, '127.0.0.1');
        for (const [from, to] of [[client, server], [server, client]]) {
            sockets.add(from);
            from.on('error', () => {}).on('close', () => {
                sockets.delete(from);
                to.destroy();
            });
            from.pipe(to);
        }
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const drop = () => sockets.forEach(socket => socket.destroy());
    return { port: proxy.address().port, drop, close: () => (drop(), proxy.close()) };
}

/** A connection that breaks in the middle of a call, while the client lives on. */
export async function dropping(s) {
    if (s.how === 'stdio') return s.na('a connection that breaks', 'over stdio the client goes with it');
    const proxy = await openProxy(new URL(s.stage.http).port);
    try {
        const c = await s.open({ url: `http://127.0.0.1:${proxy.port}/mcp` });
        await c.list();
        const ms = s.modern ? uniqueMs() : uniqueMs() - LONG + 1000;
        const call = rejection(c.call('slow_book', { id: 'b1', ms }, { timeout: 30_000 }));
        await until(() => s.stage.seen(`ms=${ms}`), seen => seen.length > 0);
        proxy.drop();
        const outcome = await call;
        const [recorded] = await until(() => s.stage.trail(slowCall(ms)), calls => calls[0]?.outcome, 5000);
        if (s.modern) {
            // 2026-07-28, Streamable HTTP, Cancellation: a closed stream is one.
            s.check('a connection that breaks fails its call at once', outcome instanceof Error, outcome);
            s.check('and cancels it', recorded?.outcome === 'cancelled', recorded);
        } else {
            // 2025-11-25, Transports, Resumability: the client comes back, here after the call's end.
            s.check('an answer survives its connection', isDeepStrictEqual(outcome.fulfilled?.structuredContent, B1), outcome);
            s.check('and the call was made once', recorded?.outcome === 'succeeded' && (await s.stage.seen(`ms=${ms}`)).length === 1, recorded);
        }
        c.complaints.length = 0; // Of the break itself, which we made.
        const fine = await c.call('get_book', { id: 'b1' });
        s.check('the client goes on with a new connection', isDeepStrictEqual(fine.structuredContent, B1), fine);
    } finally {
        proxy.close();
    }
}

/** What a client that goes in good order leaves behind: nothing. */
export async function leaving(s) {
    const c = await s.open();
    await c.call('get_book', { id: 'b1' });
    if (s.how === 'stdio') {
        const began = Date.now();
        await c.close();
        const took = Date.now() - began;
        // These clients wait for two seconds before they send a signal.
        s.check('the server ends with its input, unasked', !alive(c.pid) && took < 1900, `${took} ms`);
    } else if (c.endSession === undefined) {
        s.na('a session is ended', 'this revision has none');
        await c.close();
    } else {
        const session = await c.endSession();
        const answer = await fetch(s.stage.http, {
            method: 'POST',
            headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': session },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
        });
        await answer.text();
        s.check('a session that the client ended is gone', session && answer.status === 404, answer.status);
        await c.close();
    }
}

export const SCENARIOS = {
    basics, refusals, drift, cutting, paying, cancelling, progress, holding, reloading, listening, manyCalls, manyClients, vanishing, dropping, leaving
};

/** What needs nothing that a client of 2025-06-18 does not have. */
export const OLD_SCENARIOS = [basics, refusals, cancelling, progress, holding, manyCalls];
