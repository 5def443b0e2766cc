//! Schemas that services refer to by their namespace, and that nobody should have to fetch.
//!
//! Written from the specifications, with what messages need of them: attributes of XML 1.0
//! (§2.12, §2.10, XML Base, `xml:id`), `XLink` 1.1 (§4), XOP 1.0 (§2.1), WS-Addressing 1.0 core
//! (§2, §3) and its member submission of August 2004 (§2, §3), XML Signature (second edition,
//! §4), the attributes of SOAP 1.1 (§4) and 1.2 (part 1 §5.2), and those of their encodings
//! (SOAP 1.1 §5, SOAP 1.2 part 2 §3). The encodings' simple types are built in (`builtin`).

use super::{SOAP_ENC, SOAP_ENC_12, WSI, XSD, XSI};

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

/// Headers of the submission that services of 2004 to 2006 still have.
const ADDRESSING_2004: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" elementFormDefault="qualified"
    targetNamespace="http://schemas.xmlsoap.org/ws/2004/08/addressing">
  <element name="EndpointReference" type="wsa:EndpointReferenceType"/>
  <complexType name="EndpointReferenceType">
    <sequence>
      <element name="Address" type="wsa:AttributedURI"/>
      <element name="ReferenceProperties" type="wsa:Properties" minOccurs="0"/>
      <element name="ReferenceParameters" type="wsa:Properties" minOccurs="0"/>
      <element name="PortType" type="wsa:AttributedQName" minOccurs="0"/>
      <element name="ServiceName" type="wsa:ServiceNameType" minOccurs="0"/>
      <any namespace="##other" minOccurs="0" maxOccurs="unbounded"/>
    </sequence>
    <anyAttribute namespace="##other"/>
  </complexType>
  <complexType name="Properties">
    <sequence><any minOccurs="0" maxOccurs="unbounded"/></sequence>
  </complexType>
  <complexType name="ServiceNameType"><simpleContent><extension base="QName">
    <attribute name="PortName" type="NCName"/><anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
  <complexType name="AttributedQName"><simpleContent><extension base="QName">
    <anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
  <complexType name="AttributedURI"><simpleContent><extension base="anyURI">
    <anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
  <complexType name="Relationship"><simpleContent><extension base="anyURI">
    <attribute name="RelationshipType" type="QName"/><anyAttribute namespace="##other"/>
  </extension></simpleContent></complexType>
  <element name="MessageID" type="wsa:AttributedURI"/>
  <element name="RelatesTo" type="wsa:Relationship"/>
  <element name="To" type="wsa:AttributedURI"/>
  <element name="Action" type="wsa:AttributedURI"/>
  <element name="From" type="wsa:EndpointReferenceType"/>
  <element name="ReplyTo" type="wsa:EndpointReferenceType"/>
  <element name="FaultTo" type="wsa:EndpointReferenceType"/>
</schema>"###;

/// Signatures as documents carry them, and keys, which types of others refer to.
const SIGNATURE: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:ds="http://www.w3.org/2000/09/xmldsig#" elementFormDefault="qualified"
    targetNamespace="http://www.w3.org/2000/09/xmldsig#">
  <simpleType name="CryptoBinary"><restriction base="base64Binary"/></simpleType>
  <simpleType name="DigestValueType"><restriction base="base64Binary"/></simpleType>
  <simpleType name="HMACOutputLengthType"><restriction base="integer"/></simpleType>
  <element name="Signature" type="ds:SignatureType"/>
  <complexType name="SignatureType">
    <sequence>
      <element ref="ds:SignedInfo"/>
      <element ref="ds:SignatureValue"/>
      <element ref="ds:KeyInfo" minOccurs="0"/>
      <element ref="ds:Object" minOccurs="0" maxOccurs="unbounded"/>
    </sequence>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="SignatureValue" type="ds:SignatureValueType"/>
  <complexType name="SignatureValueType"><simpleContent><extension base="base64Binary">
    <attribute name="Id" type="ID"/>
  </extension></simpleContent></complexType>
  <element name="SignedInfo" type="ds:SignedInfoType"/>
  <complexType name="SignedInfoType">
    <sequence>
      <element ref="ds:CanonicalizationMethod"/>
      <element ref="ds:SignatureMethod"/>
      <element ref="ds:Reference" maxOccurs="unbounded"/>
    </sequence>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="CanonicalizationMethod" type="ds:CanonicalizationMethodType"/>
  <complexType name="CanonicalizationMethodType" mixed="true">
    <sequence><any minOccurs="0" maxOccurs="unbounded"/></sequence>
    <attribute name="Algorithm" type="anyURI" use="required"/>
  </complexType>
  <element name="SignatureMethod" type="ds:SignatureMethodType"/>
  <complexType name="SignatureMethodType" mixed="true">
    <sequence>
      <element name="HMACOutputLength" type="ds:HMACOutputLengthType" minOccurs="0"/>
      <any namespace="##other" minOccurs="0" maxOccurs="unbounded"/>
    </sequence>
    <attribute name="Algorithm" type="anyURI" use="required"/>
  </complexType>
  <element name="Reference" type="ds:ReferenceType"/>
  <complexType name="ReferenceType">
    <sequence>
      <element ref="ds:Transforms" minOccurs="0"/>
      <element ref="ds:DigestMethod"/>
      <element ref="ds:DigestValue"/>
    </sequence>
    <attribute name="Id" type="ID"/>
    <attribute name="URI" type="anyURI"/>
    <attribute name="Type" type="anyURI"/>
  </complexType>
  <element name="Transforms" type="ds:TransformsType"/>
  <complexType name="TransformsType">
    <sequence><element ref="ds:Transform" maxOccurs="unbounded"/></sequence>
  </complexType>
  <element name="Transform" type="ds:TransformType"/>
  <complexType name="TransformType" mixed="true">
    <choice minOccurs="0" maxOccurs="unbounded">
      <any namespace="##other"/><element name="XPath" type="string"/>
    </choice>
    <attribute name="Algorithm" type="anyURI" use="required"/>
  </complexType>
  <element name="DigestMethod" type="ds:DigestMethodType"/>
  <complexType name="DigestMethodType" mixed="true">
    <sequence><any namespace="##other" minOccurs="0" maxOccurs="unbounded"/></sequence>
    <attribute name="Algorithm" type="anyURI" use="required"/>
  </complexType>
  <element name="DigestValue" type="ds:DigestValueType"/>
  <element name="KeyInfo" type="ds:KeyInfoType"/>
  <complexType name="KeyInfoType" mixed="true">
    <choice maxOccurs="unbounded">
      <element ref="ds:KeyName"/>
      <element ref="ds:KeyValue"/>
      <element ref="ds:RetrievalMethod"/>
      <element ref="ds:X509Data"/>
      <element ref="ds:PGPData"/>
      <element ref="ds:SPKIData"/>
      <element ref="ds:MgmtData"/>
      <any namespace="##other"/>
    </choice>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="KeyName" type="string"/>
  <element name="KeyValue" type="ds:KeyValueType"/>
  <complexType name="KeyValueType" mixed="true"><choice>
    <element ref="ds:DSAKeyValue"/><element ref="ds:RSAKeyValue"/><any namespace="##other"/>
  </choice></complexType>
  <element name="DSAKeyValue" type="ds:DSAKeyValueType"/>
  <complexType name="DSAKeyValueType"><sequence>
    <sequence minOccurs="0">
      <element name="P" type="ds:CryptoBinary"/><element name="Q" type="ds:CryptoBinary"/>
    </sequence>
    <element name="G" type="ds:CryptoBinary" minOccurs="0"/>
    <element name="Y" type="ds:CryptoBinary"/>
    <element name="J" type="ds:CryptoBinary" minOccurs="0"/>
    <sequence minOccurs="0">
      <element name="Seed" type="ds:CryptoBinary"/>
      <element name="PgenCounter" type="ds:CryptoBinary"/>
    </sequence>
  </sequence></complexType>
  <element name="RSAKeyValue" type="ds:RSAKeyValueType"/>
  <complexType name="RSAKeyValueType"><sequence>
    <element name="Modulus" type="ds:CryptoBinary"/>
    <element name="Exponent" type="ds:CryptoBinary"/>
  </sequence></complexType>
  <element name="RetrievalMethod" type="ds:RetrievalMethodType"/>
  <complexType name="RetrievalMethodType">
    <sequence><element ref="ds:Transforms" minOccurs="0"/></sequence>
    <attribute name="URI" type="anyURI"/>
    <attribute name="Type" type="anyURI"/>
  </complexType>
  <element name="X509Data" type="ds:X509DataType"/>
  <complexType name="X509DataType"><choice maxOccurs="unbounded">
    <element name="X509IssuerSerial" type="ds:X509IssuerSerialType"/>
    <element name="X509SKI" type="base64Binary"/>
    <element name="X509SubjectName" type="string"/>
    <element name="X509Certificate" type="base64Binary"/>
    <element name="X509CRL" type="base64Binary"/>
    <any namespace="##other"/>
  </choice></complexType>
  <complexType name="X509IssuerSerialType"><sequence>
    <element name="X509IssuerName" type="string"/>
    <element name="X509SerialNumber" type="integer"/>
  </sequence></complexType>
  <element name="PGPData" type="ds:PGPDataType"/>
  <complexType name="PGPDataType"><sequence>
    <element name="PGPKeyID" type="base64Binary" minOccurs="0"/>
    <element name="PGPKeyPacket" type="base64Binary" minOccurs="0"/>
    <any namespace="##other" minOccurs="0" maxOccurs="unbounded"/>
  </sequence></complexType>
  <element name="SPKIData" type="ds:SPKIDataType"/>
  <complexType name="SPKIDataType"><sequence maxOccurs="unbounded">
    <element name="SPKISexp" type="base64Binary"/><any namespace="##other" minOccurs="0"/>
  </sequence></complexType>
  <element name="MgmtData" type="string"/>
  <element name="Manifest" type="ds:ManifestType"/>
  <complexType name="ManifestType">
    <sequence><element ref="ds:Reference" maxOccurs="unbounded"/></sequence>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="SignatureProperties" type="ds:SignaturePropertiesType"/>
  <complexType name="SignaturePropertiesType">
    <sequence><element ref="ds:SignatureProperty" maxOccurs="unbounded"/></sequence>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="SignatureProperty" type="ds:SignaturePropertyType"/>
  <complexType name="SignaturePropertyType" mixed="true">
    <choice maxOccurs="unbounded"><any namespace="##other"/></choice>
    <attribute name="Target" type="anyURI" use="required"/>
    <attribute name="Id" type="ID"/>
  </complexType>
  <element name="Object" type="ds:ObjectType"/>
  <complexType name="ObjectType" mixed="true">
    <sequence minOccurs="0" maxOccurs="unbounded"><any/></sequence>
    <attribute name="Id" type="ID"/>
    <attribute name="MimeType" type="string"/>
    <attribute name="Encoding" type="anyURI"/>
  </complexType>
</schema>"###;

const SOAP: &str = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://schemas.xmlsoap.org/soap/envelope/">
  <attribute name="mustUnderstand"><simpleType><restriction base="boolean">
    <pattern value="0|1"/>
  </restriction></simpleType></attribute>
  <attribute name="actor" type="anyURI"/>
  <attribute name="encodingStyle"><simpleType><list itemType="anyURI"/></simpleType></attribute>
</schema>"#;

const SOAP_1_2: &str = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://www.w3.org/2003/05/soap-envelope">
  <attribute name="mustUnderstand" type="boolean"/>
  <attribute name="role" type="anyURI"/>
  <attribute name="relay" type="boolean"/>
  <attribute name="encodingStyle" type="anyURI"/>
</schema>"#;

/// What types that are derived from an array's, or beside it, may refer to.
const ENCODING: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/"
    targetNamespace="http://schemas.xmlsoap.org/soap/encoding/">
  <attribute name="root" type="boolean"/>
  <attribute name="arrayType" type="string"/>
  <attribute name="offset" type="string"/>
  <attribute name="position" type="string"/>
  <attributeGroup name="commonAttributes">
    <attribute name="id" type="ID"/>
    <attribute name="href" type="anyURI"/>
    <anyAttribute namespace="##other"/>
  </attributeGroup>
  <attributeGroup name="arrayAttributes">
    <attribute ref="enc:arrayType"/><attribute ref="enc:offset"/>
  </attributeGroup>
  <attributeGroup name="arrayMemberAttributes"><attribute ref="enc:position"/></attributeGroup>
  <group name="Array"><sequence><any minOccurs="0" maxOccurs="unbounded"/></sequence></group>
</schema>"###;

const ENCODING_1_2: &str = r###"<schema xmlns="http://www.w3.org/2001/XMLSchema"
    xmlns:enc="http://www.w3.org/2003/05/soap-encoding"
    targetNamespace="http://www.w3.org/2003/05/soap-encoding">
  <attribute name="id" type="ID"/>
  <attribute name="ref" type="IDREF"/>
  <attribute name="nodeType" type="NMTOKEN"/>
  <attribute name="itemType" type="QName"/>
  <attribute name="arraySize" type="string"/>
  <attributeGroup name="commonAttributes">
    <attribute ref="enc:id"/><attribute ref="enc:ref"/><anyAttribute namespace="##other"/>
  </attributeGroup>
  <attributeGroup name="arrayAttributes">
    <attribute ref="enc:arraySize"/><attribute ref="enc:itemType"/>
  </attributeGroup>
</schema>"###;

/// The bundled schemas.
pub(crate) fn texts() -> [&'static str; 11] {
    [
        XML,
        XLINK,
        XOP,
        XMIME,
        ADDRESSING,
        ADDRESSING_2004,
        SIGNATURE,
        SOAP,
        SOAP_1_2,
        ENCODING,
        ENCODING_1_2,
    ]
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
            | "http://schemas.xmlsoap.org/ws/2004/08/addressing"
            | "http://www.w3.org/2000/09/xmldsig#"
            | "http://schemas.xmlsoap.org/soap/envelope/"
            | "http://www.w3.org/2003/05/soap-envelope"
            | XSD
            | XSI
            | WSI
            | SOAP_ENC
            | SOAP_ENC_12
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_a_schema_of_a_namespace_that_needs_no_document() {
        for text in texts() {
            let schema = tollbridge_xml::parse(text.as_bytes()).expect("it is XML");
            assert_eq!((schema.namespace.as_deref(), schema.name.as_str()), (Some(XSD), "schema"));
            let target = schema.attribute(None, "targetNamespace").expect("a namespace");
            assert!(is_bundled(target), "{target}");
        }
    }
}
