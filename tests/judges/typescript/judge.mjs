// The official TypeScript clients judge tollbridge: each scenario, for each client in each
// protocol era, over stdio and over HTTP.
//
//   node judge.mjs [--smoke] STAGE.PY TOLLBRIDGE
//
// One line a check; the last line is "N passed, N failed".

import { asking } from './asked.mjs';
import { connect, CLIENTS, OLD_CLIENTS } from './clients.mjs';
import { behindKeys } from './keys.mjs';
import { portable } from './portable.mjs';
import { throughRemote } from './remote.mjs';
import { OLD_SCENARIOS, SCENARIOS } from './scenarios.mjs';
import { openStage } from './stage.mjs';

/** How long one scenario may take before it counts as failed. */
const PATIENCE = 600_000;

const words = process.argv.slice(2);
const smoke = words[0] === '--smoke';
const [script, binary, only] = smoke ? words.slice(1) : words;
const tally = { passed: 0, failed: 0 };

// What nobody waited for any more, such as after a scenario that failed.
process.on('unhandledRejection', error => {
    tally.failed++;
    console.log(`FAILED  nothing fails unseen: ${error?.stack ?? error}`);
});

/** A stage, or status 2: without one nothing can be judged. */
async function stageOr2(...flags) {
    try {
        return await openStage(script, binary, ...flags);
    } catch (error) {
        console.error(error.message);
        process.exit(2);
    }
}

/** Runs one scenario and ends what it opened. What goes wrong as a whole is one failed check. */
async function play(about, scenario) {
    const name = about.label ?? `${about.kind} ${about.how}`;
    if (only && !`${name} ${scenario.name}`.includes(only)) return;
    const opened = [];
    const check = (what, holds, why) => {
        if (holds) {
            tally.passed++;
            console.log(`ok      ${name}: ${what}`);
        } else {
            tally.failed++;
            const shown = why instanceof Error ? why.stack : JSON.stringify(why);
            console.log(`FAILED  ${name}: ${what}: ${shown?.slice(0, 1500)}`);
        }
    };
    const s = {
        ...about,
        smoke,
        check,
        na: (what, why) => console.log(`n/a     ${name}: ${what}: ${why}`),
        open: async options => {
            const connection = await connect(about.kind, about.how, about.stage, { server: about.server, ...options });
            opened.push(connection);
            return connection;
        }
    };
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(reject, PATIENCE, new Error(`it took longer than ${PATIENCE / 1000} s`));
    });
    try {
        await Promise.race([scenario(s), late]);
        const complaints = opened.flatMap(connection => connection.complaints);
        if (opened.length > 0) check(`the client had nothing to complain of (${scenario.name})`, complaints.length === 0, complaints);
    } catch (error) {
        check(`${scenario.name} comes to its end`, false, error);
    } finally {
        clearTimeout(timer);
        await Promise.allSettled(opened.map(connection => connection.close()));
    }
}

const stage = await stageOr2('--http');
try {
    for (const [kind, { version }] of Object.entries(CLIENTS)) {
        for (const how of ['stdio', 'http']) {
            const about = { kind, how, version, stage, modern: version >= '2026', identity: 'tester' };
            // What `auto` comes out with is what the pinned client speaks.
            // What changes the tools comes first: the server over HTTP is not the one over stdio, and
            // takes a moment to hear that they are as before.
            const scenarios = smoke && kind === 'v2 auto' ? [SCENARIOS.basics] : [asking, ...Object.values(SCENARIOS)];
            for (const scenario of scenarios) {
                await stage.reset();
                await play(about, scenario);
            }
        }
    }
    for (const [kind, { version }] of Object.entries(OLD_CLIENTS)) {
        for (const how of ['stdio', 'http']) {
            for (const scenario of OLD_SCENARIOS) {
                await stage.reset();
                await play({ kind, how, version, stage, modern: false, identity: 'tester' }, scenario);
            }
        }
    }
    await portable(stage, play);
    await throughRemote(stage, play);
} finally {
    await stage.close();
}

const keyed = await stageOr2('--http', '--keys');
try {
    await behindKeys(keyed, play);
} finally {
    await keyed.close();
}

console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed > 0 ? 1 : 0);
