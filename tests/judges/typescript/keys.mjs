// Callers over HTTP that need a key.

import { CLIENTS, connect } from './clients.mjs';
import { basics, rejection } from './scenarios.mjs';

async function keyless(s) {
    for (const [what, key] of [['no key', null], ['a wrong key', 'tb_no_such_key']]) {
        const error = await rejection(connect(s.kind, s.how, s.stage, { key }));
        // v1 has the status as `code`; v2 as `status`, or below it where its probe for the era met it.
        const statuses = [error.code, error.status, error.cause?.status, error.data?.status];
        s.check(`with ${what} nobody is let in`, statuses.includes(401), { error: String(error), statuses, ...error });
    }
}

/** Each client, with the key in the header that its users give it. */
export async function behindKeys(stage, play) {
    for (const [kind, { version }] of Object.entries(CLIENTS)) {
        const about = { kind, how: 'http', label: `${kind} with keys`, version, stage, identity: 'reader' };
        for (const scenario of [basics, keyless]) {
            await stage.reset();
            await play(about, scenario);
        }
    }
}
