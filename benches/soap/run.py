#!/usr/bin/env python3
"""A SOAP message of 1 MB written and read, beside zeep and node-soap: docs/performance.md.

    benches/soap/run.py [--rows N]

Makes a WSDL with one operation that echoes a list, and a response of about 1 MB. Each
implementation reads the response, and writes what it read as a request; the best time of two
seconds counts. zeep and node-soap are installed once, from PyPI and npm, into target/bench/soap;
ours is built as a release. Nothing is sent anywhere.

The exit status is 0 where the run came to its end, 1 where an implementation lost rows, 2 where
something that is needed is missing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "bench" / "soap"

ZEEP = "zeep==4.3.3"
NODE_SOAP = "soap@1.13.0"

WSDL = """<wsdl:definitions name="Echo" targetNamespace="urn:echo" xmlns:t="urn:echo"
  xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<wsdl:types><xsd:schema targetNamespace="urn:echo" elementFormDefault="qualified">
<xsd:complexType name="Place"><xsd:sequence>
<xsd:element name="warehouse" type="xsd:string"/><xsd:element name="units" type="xsd:int"/>
</xsd:sequence></xsd:complexType>
<xsd:complexType name="Item"><xsd:sequence>
<xsd:element name="sku" type="xsd:string"/>
<xsd:element name="name" type="xsd:string"/>
<xsd:element name="price" type="xsd:decimal"/>
<xsd:element name="updated" type="xsd:dateTime"/>
<xsd:element name="fragile" type="xsd:boolean"/>
<xsd:element name="stock" type="t:Place" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence><xsd:attribute name="id" type="xsd:int"/></xsd:complexType>
<xsd:complexType name="Items"><xsd:sequence>
<xsd:element name="item" type="t:Item" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence></xsd:complexType>
<xsd:element name="echo" type="t:Items"/><xsd:element name="echoResponse" type="t:Items"/>
</xsd:schema></wsdl:types>
<wsdl:message name="in"><wsdl:part name="parameters" element="t:echo"/></wsdl:message>
<wsdl:message name="out"><wsdl:part name="parameters" element="t:echoResponse"/></wsdl:message>
<wsdl:portType name="EchoPort"><wsdl:operation name="echo">
<wsdl:input message="t:in"/><wsdl:output message="t:out"/></wsdl:operation></wsdl:portType>
<wsdl:binding name="EchoBinding" type="t:EchoPort">
<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="echo"><soap:operation soapAction="urn:echo"/>
<wsdl:input><soap:body use="literal"/></wsdl:input>
<wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
<wsdl:service name="Echo"><wsdl:port name="EchoPort" binding="t:EchoBinding">
<soap:address location="http://127.0.0.1:9/echo"/></wsdl:port></wsdl:service>
</wsdl:definitions>
"""


def fail(message, status=2):
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(status)


def response(rows):
    """The envelope that all of them read."""
    items = []
    for n in range(rows):
        stock = "".join(
            f"<t:stock><t:warehouse>{place}</t:warehouse><t:units>{n % 50}</t:units></t:stock>"
            for place in ("berlin", "lyon")
        )
        items.append(
            f'<t:item id="{n}"><t:sku>SKU-{n:06}</t:sku>'
            f"<t:name>Kettle &amp; lid, enamelled, {n % 9} l</t:name>"
            f"<t:price>{n % 90}.95</t:price><t:updated>2026-11-02T08:15:00Z</t:updated>"
            f"<t:fragile>{'true' if n % 2 else 'false'}</t:fragile>{stock}</t:item>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="urn:echo">'
        f"<s:Body><t:echoResponse>{''.join(items)}</t:echoResponse></s:Body></s:Envelope>"
    )


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **more)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command[:3]))} … ended with {done.returncode}", 1)
    return done.stdout


def python():
    """An interpreter with zeep."""
    venv = WORK / "venv"
    interpreter = venv / "bin" / "python"
    if not (venv / ZEEP).exists():
        run([sys.executable, "-m", "venv", venv])
        run([interpreter, "-m", "pip", "install", "--quiet", ZEEP])
        (venv / ZEEP).touch()
    return interpreter


def node():
    """The folder of a script that finds node-soap."""
    folder = WORK / "node"
    if not (folder / "node_modules" / "soap").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        run(["npm", "install", "--no-fund", "--no-audit", "--silent", NODE_SOAP], cwd=folder)
    script = folder / "node_soap.cjs"
    script.write_text((HERE / "node_soap.cjs").read_text())
    return script


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=3000, help="how long the list is")
    rows = options.parse_args().rows
    WORK.mkdir(parents=True, exist_ok=True)
    wsdl, envelope = WORK / "echo.wsdl", WORK / "response.xml"
    wsdl.write_text(WSDL)
    envelope.write_text(response(rows))
    bench = ["cargo", "bench", "--quiet", "--locked", "-p", "tollbridge-wsdl", "--bench", "message"]
    measured = {
        "tollbridge": run([*bench, "--", wsdl, "echo", envelope], cwd=ROOT),
        "zeep": run([python(), HERE / "zeep_message.py", wsdl, envelope]),
        "node-soap": run(["node", node(), wsdl, envelope]),
    }
    measured = {name: json.loads(text.splitlines()[-1]) for name, text in measured.items()}
    for name, one in measured.items():
        if one["rows"] != rows:
            fail(f"{name} read {one['rows']} of {rows} rows", 1)
    ours = measured["tollbridge"]
    print(f"a response of {envelope.stat().st_size / 1e6:.2f} MB, {rows} rows\n")
    print("| | encode, ms | decode, ms | encode, times ours | decode, times ours |")
    print("|---|---|---|---|---|")
    for name, one in measured.items():
        encode, decode = one["encode_ms"], one["decode_ms"]
        print(
            f"| {name} | {encode:.1f} | {decode:.1f} "
            f"| {encode / ours['encode_ms']:.1f} | {decode / ours['decode_ms']:.1f} |"
        )
    (WORK / "results.json").write_text(json.dumps(measured, indent=2))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
