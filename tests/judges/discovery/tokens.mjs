// How many tokens each text has: a JSON list of texts in, a JSON list of numbers out.
//
//   node tokens.mjs FOLDER      FOLDER has gpt-tokenizer among its node_modules
//
// The vocabulary is o200k, that of GPT-4o and later; other models' differ by some per cent.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/package.json`);
const { countTokens } = require("gpt-tokenizer/encoding/o200k_base");
const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => countTokens(text))));
