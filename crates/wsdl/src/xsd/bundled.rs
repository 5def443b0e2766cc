//! Schemas that services refer to by their namespace, and that nobody should have to fetch.
//!
//! Written from the specifications, with what messages need of them: attributes of XML 1.0
//! (§2.12, §2.10, XML Base, `xml:id`), `XLink` 1.1 (§4), XOP 1.0 (§2.1), WS-Addressing 1.0 core
//! (§2, §3). SOAP's encoding types are built in (`builtin`).

use super::{SOAP_ENC, SOAP_ENC_12, XSD, XSI};

const XML: &str = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://www.w3.org/XML/1998/namespace">
  <attribute name="lang" type="language"/>
  <attribute name="space"><simpleType><restriction base="NCName">
    <enumeration value="default"/><enumeration value="preserve"/>
  </restriction></simpleType></attribute>
  <attribute name="base" type="anyURI"/>
  <attribute name="id" type="ID"/>
  <attributeGroup name="specialAttrs">
    <attribute ref="xml:base"/><attribute ref="xml:lang"/>
    <attribute ref="xml:space"/><attribute ref="xml:id"/>
  </attributeGroup>
</schema>"#;

const XLINK: &str = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:xlink="http://www.w3.org/1999/xlink" targetNamespace="http://www.w3.org/1999/xlink">
  <attribute name="type" type="NMTOKEN"/>
  <attribute name="href" type="anyURI"/>
  <attribute name="role" type="anyURI"/>
  <attribute name="arcrole" type="anyURI"/>
  <attribute name="title" type="string"/>
  <attribute name="show" type="NMTOKEN"/>
  <attribute name="actuate" type="NMTOKEN"/>
  <attribute name="label" type="NCName"/>
  <attribute name="from" type="NCName"/>
  <attribute name="to" type="NCName"/>
  <attributeGroup name="simpleAttrs">
    <attribute ref="xlink:type" fixed="simple"/><attribute ref="xlink:href"/>
    <attribute ref="xlink:role"/><attribute ref="xlink:arcrole"/>
    <attribute ref="xlink:title"/><attribute ref="xlink:show"/><attribute ref="xlink:actuate"/>
  </attributeGroup>
</schema>"#;

const XOP: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:xop="http://www.w3.org/2004/08/xop/include"
    targetNamespace="http://www.w3.org/2004/08/xop/include">
  <element name="Include" type="xop:Include"/>
  <complexType name="Include">
    <sequence><any namespace="##other" minOccurs="0" maxOccurs="unbounded"/></sequence>
    <attribute name="href" type="anyURI" use="required"/>
    <anyAttribute namespace="##other"/>
  </complexType>
</schema>"###;

const XMIME: &str = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:xmime="http://www.w3.org/2005/05/xmlmime"
    targetNamespace="http://www.w3.org/2005/05/xmlmime">
  <attribute name="contentType" type="string"/>
  <attribute name="expectedContentTypes" type="string"/>
  <complexType name="base64Binary"><simpleContent><extension base="base64Binary">
    <attribute ref="xmime:contentType"/>
  </extension></simpleContent></complexType>
  <complexType name="hexBinary"><simpleContent><extension base="hexBinary">
    <attribute ref="xmime:contentType"/>
  </extension></simpleContent></complexType>
</schema>"#;

const ADDRESSING: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:wsa="http://www.w3.org/2005/08/addressing" elementFormDefault="qualified"
    targetNamespace="http://www.w3.org/2005/08/addressing">
  <element name="EndpointReference" type="wsa:EndpointReferenceType"/>
  <complexType name="EndpointReferenceType">
    <sequence>
      <element name="Address" type="wsa:AttributedURIType"/>
      <element name="ReferenceParameters" type="wsa:ReferenceParametersType" minOccurs="0"/>
      <element ref="wsa:Metadata" minOccurs="0"/>
      <any namespace="##other" minOccurs="0" maxOccurs="unbounded"/>
    </sequence>
    <anyAttribute namespace="##other"/>
  </complexType>
  <complexType name="ReferenceParametersType">
    <sequence><any namespace="##any" minOccurs="0" maxOccurs="unbounded"/></sequence>
    <anyAttribute namespace="##other"/>
  </complexType>
  <element name="Metadata" type="wsa:MetadataType"/>
  <complexType name="MetadataType">
    <sequence><any namespace="##any" minOccurs="0" maxOccurs="unbounded"/></sequence>
    <anyAttribute namespace="##other"/>
  </complexType>
  <element name="MessageID" type="wsa:AttributedURIType"/>
  <element name="RelatesTo" type="wsa:RelatesToType"/>
  <complexType name="RelatesToType"><simpleContent><extension base="anyURI">
    <attribute name="RelationshipType" type="anyURI"/><anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
  <element name="ReplyTo" type="wsa:EndpointReferenceType"/>
  <element name="From" type="wsa:EndpointReferenceType"/>
  <element name="FaultTo" type="wsa:EndpointReferenceType"/>
  <element name="To" type="wsa:AttributedURIType"/>
  <element name="Action" type="wsa:AttributedURIType"/>
  <complexType name="AttributedURIType"><simpleContent><extension base="anyURI">
    <anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
</schema>"###;

/// The bundled schemas.
pub(crate) fn texts() -> [&'static str; 5] {
    [XML, XLINK, XOP, XMIME, ADDRESSING]
}

/// Whether a namespace needs no document: it is bundled, or built in.
pub(crate) fn is_bundled(namespace: &str) -> bool {
    matches!(
        namespace,
        "http://www.w3.org/XML/1998/namespace"
            | "http://www.w3.org/1999/xlink"
            | "http://www.w3.org/2004/08/xop/include"
            | "http://www.w3.org/2005/05/xmlmime"
            | "http://www.w3.org/2005/08/addressing"
            | XSD
            | XSI
            | SOAP_ENC
            | SOAP_ENC_12
    )
}
