// mcp-remote, the bridge by which clients that speak stdio alone reach a server over HTTP.

import { isDeepStrictEqual } from 'node:util';
import { basics, errorCode, rejection } from './scenarios.mjs';

const PROXY = new URL('node_modules/mcp-remote/dist/proxy.js', import.meta.url).pathname;

async function errors(s) {
    const c = await s.open();
    await c.list();
    const missing = await c.call('get_book', { id: 'none' });
    s.check('a tool error arrives', errorCode(missing) === 'upstream_error', missing);
    const unknown = await rejection(c.call('drop_books', {}));
    s.check('a protocol error arrives', unknown.code === -32602, unknown);
    const fine = await c.call('get_book', { id: 'b1' });
    s.check('and the connection goes on', isDeepStrictEqual(fine.structuredContent?.id, 'b1'), fine);
}

export async function throughRemote(stage, play) {
    const server = {
        command: process.execPath,
        args: [PROXY, stage.http, '--transport', 'http-only', '--allow-http'],
        // What it remembers of servers goes with the stage.
        env: { ...stage.env, MCP_REMOTE_CONFIG_DIR: `${stage.folder}/mcp-remote` },
        stderr: 'ignore'
    };
    for (const kind of ['v1', 'v2 legacy']) {
        const about = { kind, how: 'stdio', label: `${kind} through mcp-remote`, version: '2025-11-25', stage, server, identity: 'tester' };
        for (const scenario of [basics, errors]) {
            await stage.reset();
            await play(about, scenario);
        }
    }
}
