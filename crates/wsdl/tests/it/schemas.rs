//! The published schemas, reviewed as they are.

use super::support::*;

#[test]
fn the_schemas_of_a_tool_are_small_and_say_what_matters() {
    let operation = operation(&echo(
        r#"<xs:element name="order" type="t:Order"/>
        <xs:element name="note" type="xs:string" minOccurs="0" maxOccurs="5"/>"#,
        r#"<xs:complexType name="Order"><xs:annotation><xs:documentation>What is wanted.</xs:documentation></xs:annotation>
          <xs:sequence>
            <xs:element name="sku" type="t:Sku"/>
            <xs:element name="price" type="xs:decimal" nillable="true"/>
            <xs:choice><xs:element name="by" type="xs:date"/><xs:element name="within" type="xs:duration"/></xs:choice>
            <xs:sequence minOccurs="0" maxOccurs="unbounded"><xs:element name="k" type="xs:string"/>
              <xs:element name="v" type="xs:string" minOccurs="0"/></xs:sequence>
            <xs:element name="part" type="t:Order" minOccurs="0" maxOccurs="unbounded"/>
          </xs:sequence><xs:attribute name="id" type="xs:int" use="required"/></xs:complexType>
        <xs:simpleType name="Sku"><xs:restriction base="xs:string"><xs:pattern value="[A-Z]\d+"/></xs:restriction></xs:simpleType>"#,
    ));
    insta::assert_snapshot!(format!("{:#}", operation.input.to_value()));
    insta::assert_snapshot!(format!("{:#}", operation.output.unwrap().to_value()));
}
