#!/usr/bin/env python3
"""How well operations are found, beside other rankers on the same text: docs/performance.md.

    benches/discovery/run.py [--split] [--misses]

The questions are RestBench's for TMDB (Song et al., 2023): 100 instructions with the endpoints
that solve them, over TMDB's description. They are other people's and not part of this project:
the run uses ../shared/corpus (or what TOLLBRIDGE_CORPUS names) and skips, with a message, where it
is absent. The others are installed once, from PyPI, into target/bench/discovery.

  recall@k   how many of an instruction's endpoints are among the first k, on average
  MRR        one over the rank of the first of them, on average (of the first 20)

`--split` prints the even instructions, by which weights may be chosen, and the odd ones, by which
they may not, apart. `--misses` prints the even instructions that lack endpoints among the first
ten. The exit status is 0 where the run came to its end, 2 where something is missing.
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "bench" / "discovery"
PACKAGES = ["bm25s==0.3.16", "PyStemmer==3.1.0", "rank-bm25==0.2.2", "fastmcp==4.2.3"]
DEEP = 20


def installed():
    """The python that has the others."""
    python = WORK / "venv" / "bin" / "python"
    stamp = WORK / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        print("installing", *PACKAGES, file=sys.stderr)
        venv.create(WORK / "venv", with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "-q", "install", *PACKAGES], check=True, stdout=sys.stderr)
        stamp.write_text(" ".join(PACKAGES))
    return python


def ranker(document, *options, lines=()):
    command = ["cargo", "run", "-q", "--locked", "-p", "tollbridge-discovery", "--example", "rank", "--"]
    run = subprocess.run(
        [*command, str(document), *options], input="\n".join(lines), text=True, capture_output=True, cwd=ROOT
    )
    if run.returncode:
        sys.exit(run.stderr or f"rank ended with {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines()]


# --- the others, in their own python ---


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def rank_bm25(texts, queries):
    from rank_bm25 import BM25Okapi

    index = BM25Okapi([words(text) for text in texts])
    for query in queries:
        scores = index.get_scores(words(query))
        yield sorted((at for at in range(len(texts)) if scores[at] > 0), key=lambda at: -scores[at])[:DEEP]


def bm25s(texts, queries):
    """Its defaults, with the stop words and the stemmer that its manual advises."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    split = lambda lines: bm25s.tokenize(
        [" ".join(words(line)) for line in lines], stopwords="en", stemmer=stemmer, show_progress=False
    )
    index = bm25s.BM25()
    index.index(split(texts), show_progress=False)
    for query in queries:
        found, scores = index.retrieve(split([query]), k=min(DEEP, len(texts)), show_progress=False)
        yield [int(at) for at, score in zip(found[0], scores[0]) if score > 0]


def fastmcp(texts, queries):
    """Its BM25 transform, asked as a client asks it: by a call of search_tools."""
    from fastmcp import Client, FastMCP
    from fastmcp.server.transforms.search import BM25SearchTransform
    from fastmcp.tools import Tool

    server = FastMCP("bench")
    for at, text in enumerate(texts):
        server.add_tool(Tool.from_function(lambda: None, name=f"t{at}", description=text))
    server.add_transform(BM25SearchTransform(max_results=DEEP))

    async def ask():
        async with Client(server) as client:
            answers = []
            for query in queries:
                answer = await client.call_tool("search_tools", {"query": query})
                content = answer.structured_content
                found = content["result"] if isinstance(content, dict) else json.loads(answer.content[0].text)
                answers.append([int(tool["name"][1:]) for tool in found])
            return answers

    return asyncio.run(ask())


OTHERS = {"rank-bm25": rank_bm25, "bm25s, stemmed": bm25s, "FastMCP's search": fastmcp}


def others():
    asked = json.load(sys.stdin)
    json.dump({name: list(rank(asked["texts"], asked["queries"])) for name, rank in OTHERS.items()}, sys.stdout)


# --- the comparison ---


def measures(ranked, wanted):
    """recall@5, recall@10 and MRR of some instructions."""
    sums = [0.0, 0.0, 0.0]
    for places, solution in zip(ranked, wanted):
        for at, k in enumerate((5, 10)):
            sums[at] += len(solution & set(places[:k])) / len(solution)
        first = next((rank for rank, place in enumerate(places, 1) if place in solution), None)
        sums[2] += 1 / first if first else 0
    return [one / len(wanted) for one in sums]


def normal(place):
    """`GET /a/{x}`, without the blanks and with the names of parameters that the set gets wrong."""
    method, path = place.split()
    return f"{method} {re.sub(r'{[^}]*}', '{}', path)}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--split", action="store_true")
    options.add_argument("--misses", action="store_true")
    options = options.parse_args()
    corpus = pathlib.Path(os.environ.get("TOLLBRIDGE_CORPUS", ROOT.parent / "shared" / "corpus" / "openapi"))
    document, asked = corpus / "tmdb.json", corpus.parent / "discovery" / "restbench_tmdb.json"
    if not (document.exists() and asked.exists()):
        print(f"skipped: {document} and {asked} are not there; TOLLBRIDGE_CORPUS names the folder")
        return
    asked = json.loads(asked.read_text())
    queries = [" ".join(one["query"].split()) for one in asked]
    wanted = [{normal(place) for place in one["solution"]} for one in asked]
    WORK.mkdir(parents=True, exist_ok=True)
    python = installed()
    texts = ranker(document, "--texts")
    places = [normal(one["place"]) for one in texts]
    sent = json.dumps({"texts": [one["text"] for one in texts], "queries": queries})
    run = subprocess.run([python, __file__, "--others"], input=sent, text=True, capture_output=True)
    if run.returncode:
        sys.exit(run.stderr)
    table = {
        name: [[places[at] for at in found] for found in lists] for name, lists in json.loads(run.stdout).items()
    }
    table["tollbridge"] = [[normal(place) for place in found] for found in ranker(document, lines=queries)]
    parts = {"all": slice(None)}
    if options.split:
        parts |= {"even (chosen by)": slice(0, None, 2), "odd (held out)": slice(1, None, 2)}
    print(f"{len(places)} operations, {len(queries)} instructions\n")
    for part, chosen in parts.items():
        print(f"| {part} | recall@5 | recall@10 | MRR |\n|---|---|---|---|")
        for name, ranked in table.items():
            print(f"| {name} | " + " | ".join(f"{one:.3f}" for one in measures(ranked[chosen], wanted[chosen])) + " |")
        print()
    if options.misses:
        for at in range(0, len(queries), 2):
            lacking = wanted[at] - set(table["tollbridge"][at][:10])
            if lacking:
                print(queries[at], *sorted(lacking), table["tollbridge"][at][:5], sep="\n    ")


if __name__ == "__main__":
    others() if sys.argv[1:] == ["--others"] else main()
