// A description as odd as OpenAPI allows: its tools must still be listed by every client.
//
// These clients parse a list as a whole and compile each output schema when they list, so one
// schema that they do not take loses all tools; old ones take less. Then each tool is called:
// the upstream knows none of the paths, and its refusal must arrive past the output schema.

import { writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { errorCode } from './scenarios.mjs';
import { CLIENTS, OLD_CLIENTS } from './clients.mjs';

const string = { type: 'string' };

/** A schema for each keyword, shape or name that a client may stumble over. */
const ODD = {
    recursive: { $ref: '#/components/schemas/Tree' },
    'mutually recursive': { $ref: '#/components/schemas/Hen' },
    booleans: { type: 'object', properties: { any: true, none: false }, additionalProperties: true },
    'a boolean for all': true,
    empty: {},
    'types in a list': { type: ['object', 'null'], properties: { a: { type: ['string', 'integer', 'null'] } } },
    'a choice at the root': { oneOf: [{ type: 'object', properties: { a: string } }, { type: 'array', items: string }, { type: 'null' }] },
    'any of them': { anyOf: [{ $ref: '#/components/schemas/Tree' }, { $ref: '#/components/schemas/Hen' }], discriminator: { propertyName: 'kind' } },
    'all of them': { allOf: [{ $ref: '#/components/schemas/Tree' }, { required: ['x'], not: { required: ['y'] } }] },
    conditions: { type: 'object', if: { required: ['a'] }, then: { required: ['b'] }, else: { properties: { c: false } } },
    dependencies: { type: 'object', dependentRequired: { a: ['b'] }, dependentSchemas: { a: { properties: { b: string } } } },
    names: {
        type: 'object',
        properties: { 'a b': string, 'ids[]': string, '$ref': string, größe: string, constructor: string, toString: string, ['__proto__']: string, '': string, ['x'.repeat(90)]: string },
        required: ['constructor', 'ids[]'],
        patternProperties: { '^x-': string },
        propertyNames: { maxLength: 100 }
    },
    arrays: { type: 'array', prefixItems: [string, { type: 'integer' }], items: false, contains: string, minContains: 0, uniqueItems: true },
    unevaluated: { type: 'object', unevaluatedProperties: false, allOf: [{ properties: { a: string } }] },
    formats: { type: 'object', properties: Object.fromEntries(['int64', 'uuid', 'date-time', 'regex', 'made-up', 'binary', 'uri-template'].map(format => [format, { type: 'string', format }])) },
    patterns: { type: 'object', properties: { letters: { type: 'string', pattern: '^\\p{L}+$' }, behind: { type: 'string', pattern: '(?<=a)b' }, named: { type: 'string', pattern: '(?<year>\\d{4})' }, escaped: { type: 'string', pattern: '^[\\w\\-\\.]+\\/$' } } },
    numbers: { type: 'object', properties: { big: { type: 'integer', maximum: 18446744073709551615n }, small: { type: 'number', exclusiveMinimum: 0, multipleOf: 0.01 }, far: { type: 'number', maximum: 1e300 } } },
    values: { type: 'object', properties: { one: { const: null }, some: { enum: [1, 'two', null, true, { a: 1 }] }, preset: { type: 'object', default: { a: [1] }, examples: [{}], readOnly: true, deprecated: true } } },
    'bytes in text': { type: 'string', contentMediaType: 'image/png', contentEncoding: 'base64' },
    'words beside a reference': { type: 'object', properties: { tree: { $ref: '#/components/schemas/Tree', description: 'A tree.', nullable: true } } },
    'an anchor': { type: 'object', $anchor: 'here', properties: { again: { $ref: '#/components/schemas/Tree/properties/children/items' } } }
};

function description() {
    const paths = {};
    for (const [n, [about, schema]] of Object.entries(ODD).entries()) {
        paths[`/odd/${n}/{id}`] = {
            post: {
                operationId: `odd_${n}`,
                summary: `Odd: ${about}`,
                parameters: [
                    { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
                    { name: 'ids[]', in: 'query', schema: { type: 'array', items: string } },
                    { name: 'filter[größe]', in: 'query', schema },
                    { name: 'constructor', in: 'query', schema: string },
                    { name: 'X-Odd', in: 'header', schema: { type: ['string', 'null'] } }
                ],
                requestBody: { content: { 'application/json': { schema } } },
                responses: {
                    200: { description: 'Odd.', content: { 'application/json': { schema } } },
                    default: { description: 'Odd, too.', content: { 'application/json': { schema } } }
                }
            }
        };
    }
    const Tree = { type: 'object', required: ['kind', 'children'], properties: { kind: string, children: { type: 'array', minItems: 1, items: { $ref: '#/components/schemas/Tree' } } } };
    const Hen = { type: 'object', properties: { kind: string, egg: { $ref: '#/components/schemas/Egg' } } };
    const Egg = { type: 'object', properties: { hen: { $ref: '#/components/schemas/Hen' } }, additionalProperties: { $ref: '#/components/schemas/Egg' } };
    const document = { openapi: '3.1.0', info: { title: 'Odd', version: '1' }, paths, components: { schemas: { Tree, Hen, Egg } } };
    // JSON.stringify has no way to write an integer above 2^53.
    return JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? `digits:${value}` : value))
        .replaceAll(/"digits:(\d+)"/g, '$1');
}

async function listed(s) {
    const c = await s.open();
    const tools = await c.list();
    const names = tools.map(tool => tool.name);
    s.check('all tools of an odd description are listed', isDeepStrictEqual(names, s.names), names);
    const described = tools.filter(tool => tool.outputSchema).length;
    s.check('and most describe their results', described > names.length / 2, described);
    const lost = [];
    for (const name of names) {
        try {
            const result = await c.call(name, { id: 'x' });
            if (errorCode(result) !== 'upstream_error') lost.push([name, result]);
        } catch (error) {
            lost.push([name, String(error)]);
        }
    }
    s.check('an error of each arrives', lost.length === 0, lost);
}

export async function portable(stage, play) {
    await writeFile(`${stage.folder}/odd.json`, description());
    const names = Object.keys(ODD).map((_, n) => `odd_${n}`);
    const tools = names.map(name => `\n[[tool]]\napi = "odd"\noperation = "${name}"\nname = "${name}"\n`);
    const config = `${stage.folder}/odd.toml`;
    await writeFile(config, `[server]
name = "odd"
[audit]
store = "sqlite:odd.db"
[api.odd]
spec = "odd.json"
base_url = "${stage.upstream}"
auth = { kind = "api_key", in = "header", name = "X-API-Key", value = "env:SHELF_KEY" }
${tools.join('')}`);
    const server = { command: stage.binary, args: ['serve', '--config', config], env: stage.env, stderr: 'ignore' };
    for (const kind of Object.keys({ ...OLD_CLIENTS, ...CLIENTS })) {
        await play({ kind, how: 'stdio', label: `${kind} odd`, stage, server, names }, listed);
    }
}
