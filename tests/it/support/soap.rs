//! A warehouse that speaks SOAP 1.2: its WSDL, one operation of it, and its messages.

use tollbridge_operation::{ApiName, Effect, EffectSource, Operation};
use tollbridge_wsdl::{ReadOptions, read};

/// What reaches the warehouse for article `A-1`.
pub(crate) const STOCK_REQUEST: &str = "<n1:article>A-1</n1:article>";

/// `GetStock`: the stock of an article, at this address.
pub(crate) fn stock_wsdl(address: &str) -> String {
    format!(
        r#"<definitions name="Warehouse" targetNamespace="urn:warehouse"
    xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:w="urn:warehouse"
    xmlns:s="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <types>
    <xs:schema targetNamespace="urn:warehouse" elementFormDefault="qualified">
      <xs:element name="GetStock"><xs:complexType><xs:sequence>
        <xs:element name="article" type="xs:string"/>
      </xs:sequence></xs:complexType></xs:element>
      <xs:element name="GetStockResponse"><xs:complexType><xs:sequence>
        <xs:element name="quantity" type="xs:int"/>
        <xs:element name="price" type="xs:decimal" minOccurs="0"/>
        <xs:element name="remark" type="xs:string" minOccurs="0"/>
      </xs:sequence></xs:complexType></xs:element>
    </xs:schema>
  </types>
  <message name="Request"><part name="parameters" element="w:GetStock"/></message>
  <message name="Response"><part name="parameters" element="w:GetStockResponse"/></message>
  <portType name="Stock">
    <operation name="GetStock">
      <documentation>The stock of an article</documentation>
      <input message="w:Request"/><output message="w:Response"/>
    </operation>
  </portType>
  <binding name="Soap" type="w:Stock">
    <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="GetStock">
      <s:operation soapAction="urn:warehouse:GetStock"/>
      <input><s:body use="literal"/></input><output><s:body use="literal"/></output>
    </operation>
  </binding>
  <service name="Warehouse">
    <port name="Port" binding="w:Soap"><s:address location="{address}"/></port>
  </service>
</definitions>
"#
    )
}

/// The operation as `tools.toml` would have it: one that only reads.
pub(crate) fn stock_operation() -> Operation {
    let api = ApiName::new("warehouse").expect("a name");
    let options = ReadOptions { api: &api, source: None, documents: &() };
    let wsdl = stock_wsdl("http://warehouse.example/soap");
    let mut description = read(wsdl.as_bytes(), &options).expect("a WSDL document");
    assert_eq!((description.skipped, description.warnings), (Vec::new(), Vec::new()));
    let mut operation = description.operations.remove(0);
    operation.effect = Effect::Read;
    operation.effect_source = EffectSource::Set;
    operation
}

/// A SOAP 1.2 message with this in its body; `w` is the warehouse's namespace, `s` SOAP's.
pub(crate) fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:w=\"urn:warehouse\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}
