// The stage (lib/stage.py) as this judge sees it: an upstream, a configuration, a server.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts a stage; `flags` are those of stage.py. */
export async function openStage(script, binary, ...flags) {
    const child = spawn('python3', [script, binary, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise(resolve => child.once('exit', resolve));
    const line = await Promise.race([
        new Promise(resolve => createInterface({ input: child.stdout }).once('line', resolve)),
        ended.then(status => Promise.reject(new Error(`the stage did not open: exit ${status}`)))
    ]);
    const about = JSON.parse(line);

    const control = async (what, body) => {
        const init = body && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
        const answer = await fetch(`${about.control}/${what}`, init);
        const value = await answer.json();
        if (!answer.ok) throw new Error(`${what}: ${JSON.stringify(value)}`);
        return value;
    };
    return {
        ...about,
        /** Requests that reached the upstream and whose path holds `part`. */
        seen: async (part = '') => (await control('seen')).filter(request => request.path.includes(part)),
        reset: () => control('reset', {}),
        approve: id => control('approve', { id }),
        /** What tools.toml lists from now on: all but `without`; `more` is TOML at its end. */
        tools: (without, more = '') => control('tools', { without, more }),
        /** The newest calls of the trail that `which` is true of, oldest first. */
        trail: async (which, limit = 100) => (await control(`trail?limit=${limit}`)).calls.filter(which),
        close: async () => {
            child.stdin.end();
            await ended;
        }
    };
}

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Asks until what is asked holds, and gives the last answer either way. */
export async function until(ask, holds, ms = 10_000) {
    const end = Date.now() + ms;
    for (;;) {
        const answer = await ask();
        if (holds(answer) || Date.now() > end) return answer;
        await sleep(25);
    }
}

/** Whether a process is there. */
export function alive(pid) {
    try {
        process.kill(pid, 0);
        return true;
    } catch {
        return false;
    }
}
