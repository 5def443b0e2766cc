// The person at the client is asked about a held call, in the way of the era: by a request in the
// session, or by a result that has the client ask and make the call again.

import { errorCode } from './scenarios.mjs';
import { sleep, until } from './stage.mjs';

// A name of its own each time: a server that still has the last one is not mistaken for one that
// has heard of this.
let round = 0;
const toolOf = name => `
[[tool]]
api = "shelf"
operation = "dropBook"
name = "${name}"
hold = { ask = ["client"], wait = "2s" }
`;

/** Who sits at a client: what they were asked, and what they say; null where they never answer. */
function someone() {
    const person = { answer: 'cancel', asked: [] };
    person.say = async message => {
        person.asked.push(message);
        if (person.answer === null) await sleep(60_000);
        return { action: person.answer, ...(person.answer === 'accept' && { content: { approve: true } }) };
    };
    return person;
}

const isListed = (c, name, wanted) =>
    until(async () => (await c.list()).some(tool => tool.name === name), listed => listed === wanted);

export async function asking(s) {
    const person = someone();
    const name = `ask_book_${++round}`;
    const c = await s.open({ person: person.say });
    const mute = await s.open();
    const dropped = async () => (await s.stage.seen('/books/asked-'))
        .filter(request => request.method === 'DELETE').map(request => request.path.split('/').pop());
    const ask = async answer => {
        person.answer = answer;
        person.asked.length = 0;
        return c.call(name, { id: `asked-${answer}` });
    };
    try {
        await s.stage.tools([], toolOf(name));
        s.check('a tool that asks is listed', await isListed(c, name, true) && await isListed(mute, name, true));
        await c.call('add_book', { body: { id: 'asked-accept', title: 'Tolls', pages: 9 } });
        const done = await ask('accept');
        s.check('asked, a person says yes and the call is made', done.isError === false, done);
        const shown = person.asked[0] ?? '';
        s.check('they are asked once, and shown what it is about',
            person.asked.length === 1 && shown.includes(name) && shown.includes('asked-accept'), person.asked);
        for (const answer of ['decline', 'cancel']) {
            const refused = await ask(answer);
            s.check(`asked, a person says ${answer} and nothing is done`, errorCode(refused) === 'denied', refused);
        }
        if (s.modern) {
            s.na('a client that never answers holds no call', 'the call has ended with the question');
        } else {
            const began = Date.now();
            const late = await ask(null);
            const took = Date.now() - began;
            s.check('a client that never answers holds no call', errorCode(late) === 'denied' && took < 15_000, [took, late]);
        }
        // Only who declared that they can be asked is.
        const unasked = await mute.call(name, { id: 'asked-mute' });
        s.check('a client that cannot ask is told so, and nothing is done', errorCode(unasked) === 'denied', unasked);
        const out = await dropped();
        s.check('only the yes went out', out.length === 1 && out[0] === 'asked-accept', out);
    } finally {
        await s.stage.tools([]);
        await isListed(c, name, false);
    }
}
