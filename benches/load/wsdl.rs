//! A large WSDL, as generators write them: document/literal, wrapped, every operation with
//! elements of its own, types in clusters that refer to each other and to themselves.

use std::fmt::Write as _;

use crate::words::words;

/// How many types refer to each other.
const CLUSTER: usize = 12;

/// A WSDL with so many operations, of about so many bytes: what types and messages leave of
/// them is documentation.
pub(crate) fn document(operations: usize, bytes: usize) -> String {
    let left = bytes.saturating_sub(documented(operations, 0).len()) / operations;
    documented(operations, left * 1_000 / words(1, 1_000).len())
}

/// A WSDL whose operations are documented in so many words.
fn documented(operations: usize, prose: usize) -> String {
    let mut out = String::from(
        r#"<wsdl:definitions name="Large" targetNamespace="urn:large"
  xmlns:t="urn:large" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<wsdl:types><xsd:schema targetNamespace="urn:large" elementFormDefault="qualified">
"#,
    );
    let types = operations / 2;
    for n in 0..types {
        complex(&mut out, n, types);
    }
    for n in 0..operations {
        let of = n / 2;
        add(
            &mut out,
            format_args!(
                r#"<xsd:element name="operation_{n}"><xsd:complexType><xsd:sequence>
<xsd:element name="thing" type="t:Thing{of}"/>
<xsd:element name="filter" type="xsd:string" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="operation_{n}Response"><xsd:complexType><xsd:sequence>
<xsd:element name="result" type="t:Thing{of}" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence></xsd:complexType></xsd:element>
"#
            ),
        );
    }
    out.push_str("</xsd:schema></wsdl:types>\n");
    for n in 0..operations {
        for end in ["", "Response"] {
            add(
                &mut out,
                format_args!(
                    r#"<wsdl:message name="operation_{n}{end}Message">
<wsdl:part name="parameters" element="t:operation_{n}{end}"/></wsdl:message>
"#
                ),
            );
        }
    }
    out.push_str("<wsdl:portType name=\"LargePort\">\n");
    for n in 0..operations {
        let said = words(n, prose);
        add(
            &mut out,
            format_args!(
                r#"<wsdl:operation name="operation_{n}"><wsdl:documentation>{said}</wsdl:documentation>
<wsdl:input message="t:operation_{n}Message"/>
<wsdl:output message="t:operation_{n}ResponseMessage"/></wsdl:operation>
"#
            ),
        );
    }
    out.push_str(
        r#"</wsdl:portType><wsdl:binding name="LargeBinding" type="t:LargePort">
<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
"#,
    );
    for n in 0..operations {
        add(
            &mut out,
            format_args!(
                r#"<wsdl:operation name="operation_{n}"><soap:operation soapAction="urn:large#operation_{n}"/>
<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
"#
            ),
        );
    }
    out.push_str(
        r#"</wsdl:binding><wsdl:service name="Large"><wsdl:port name="LargePort" binding="t:LargeBinding">
<soap:address location="http://127.0.0.1:9/large"/></wsdl:port></wsdl:service></wsdl:definitions>
"#,
    );
    out
}

fn add(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes it");
}

/// A type that refers to two others of its cluster.
fn complex(out: &mut String, n: usize, types: usize) {
    let start = n / CLUSTER * CLUSTER;
    let other = |step: usize| (start + (n + step) % CLUSTER).min(types - 1);
    add(out, format_args!("<xsd:complexType name=\"Thing{n}\"><xsd:sequence>\n"));
    for m in 0..12 {
        let said = words(n * 31 + m, 8);
        let kind = ["xsd:string", "xsd:int", "xsd:dateTime", "xsd:decimal"][m % 4];
        add(
            out,
            format_args!(
                r#"<xsd:element name="member_{m}" type="{kind}" minOccurs="0"><xsd:annotation>
<xsd:documentation>{said}</xsd:documentation></xsd:annotation></xsd:element>
"#
            ),
        );
    }
    let (parent, child) = (other(1), other(5));
    add(
        out,
        format_args!(
            r#"<xsd:element name="parent" type="t:Thing{parent}" minOccurs="0"/>
<xsd:element name="child" type="t:Thing{child}" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence><xsd:attribute name="version" type="xsd:int"/></xsd:complexType>
"#
        ),
    );
}
