// The official TypeScript clients behind one shape, so that each scenario is written once.
//
// A connection has `list`, `call`, `changed` and `close`, and keeps in `complaints` whatever the
// client reported through `onerror`: a message that it could not place is a defect of the
// server's, also where every call went well.

import * as v2 from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const NAME = { name: 'tollbridge-judge', version: '1' };

async function v1Modules(name) {
    const [{ Client }, { StdioClientTransport }, { StreamableHTTPClientTransport }, { ElicitRequestSchema }] = await Promise.all([
        import(`${name}/client/index.js`),
        import(`${name}/client/stdio.js`),
        import(`${name}/client/streamableHttp.js`),
        import(`${name}/types.js`)
    ]);
    return { Client, Stdio: StdioClientTransport, Http: StreamableHTTPClientTransport, Elicit: ElicitRequestSchema };
}

const V1 = await v1Modules('@modelcontextprotocol/sdk');
const V1_OLD = await v1Modules('sdk-1.25.3');
const V1_OLDER = await v1Modules('sdk-1.17.5');
const V2 = { Client: v2.Client, Stdio: StdioV2, Http: v2.StreamableHTTPClientTransport, Elicit: 'elicitation/create' };

/** Each client in each protocol era that it speaks; `version` is what it must come out with. */
export const CLIENTS = {
    'v1': { modules: V1, version: '2025-11-25' },
    'v2 legacy': { modules: V2, version: '2025-11-25', negotiation: 'legacy' },
    'v2 auto': { modules: V2, version: '2026-07-28', negotiation: 'auto' },
    'v2 pinned': { modules: V2, version: '2026-07-28', negotiation: { pin: '2026-07-28' } }
};

/** Clients that are older, and that are asked only for what they have a way to do. */
export const OLD_CLIENTS = {
    'v1.25.3': { modules: V1_OLD, version: '2025-11-25' },
    'v1.17.5': { modules: V1_OLDER, version: '2025-06-18' }
};

/**
 * Connects `kind` (of CLIENTS) over 'stdio' or 'http'.
 * `listen` asks to be told of changes of the list, the way that the client's users do it.
 * `person` answers the messages that the client is to show somebody; without one it cannot.
 */
export async function connect(kind, how, stage, { listen = false, person, key = stage.key, server, timeout, url = stage.http } = {}) {
    const { modules, negotiation } = { ...CLIENTS, ...OLD_CLIENTS }[kind];
    const changes = [];
    const waiting = [];
    const changed = (error, tools) => {
        const change = { error, names: tools?.map(tool => tool.name) };
        const next = waiting.shift();
        next ? next(change) : changes.push(change);
    };
    const options = {};
    if (negotiation) options.versionNegotiation = { mode: negotiation };
    if (listen) options.listChanged = { tools: { onChanged: changed, debounceMs: 20 } };
    if (person) options.capabilities = { elicitation: {} };
    const client = new modules.Client(NAME, options);
    if (person) client.setRequestHandler(modules.Elicit, request => person(request.params.message));
    const complaints = [];
    // What it says while it closes is of its own doing.
    let closing = false;
    client.onerror = error => closing || complaints.push(String(error));

    const transport = how === 'stdio'
        ? new modules.Stdio(server ?? {
            command: stage.binary,
            args: ['serve', '--config', stage.config],
            env: stage.env,
            stderr: 'ignore'
        })
        : new modules.Http(new URL(url), key ? { requestInit: { headers: { Authorization: `Bearer ${key}` } } } : {});
    const v1 = negotiation === undefined;
    // v1 tells the negotiated version to its transport alone.
    let negotiated;
    if (v1) {
        const tell = transport.setProtocolVersion?.bind(transport);
        transport.setProtocolVersion = version => {
            negotiated = version;
            tell?.(version);
        };
    }
    await client.connect(transport, { timeout });

    return {
        client,
        complaints,
        era: client.getProtocolEra?.() ?? 'legacy',
        version: v1 ? negotiated : client.getNegotiatedProtocolVersion(),
        server: client.getServerVersion(),
        pid: transport.pid,
        list: async () => (await client.listTools()).tools,
        call: (name, args, { meta, ...options } = {}) => {
            const params = { name, arguments: args, ...(meta && { _meta: meta }) };
            return v1 ? client.callTool(params, undefined, options) : client.callTool(params, options);
        },
        /** The next change of the list that the client was told of. */
        changed: (ms = 10_000) => changes.length > 0 ? changes.shift() : Promise.race([
            new Promise(resolve => waiting.push(resolve)),
            new Promise((_, reject) => setTimeout(reject, ms, new Error(`no change was told within ${ms} ms`)).unref())
        ]),
        /** Ends the session at the server as well, where there is one, and gives its id. */
        endSession: transport.sessionId === undefined ? undefined : async () => {
            const { sessionId } = transport;
            await transport.terminateSession();
            return sessionId;
        },
        close: () => {
            closing = true;
            return client.close();
        }
    };
}
