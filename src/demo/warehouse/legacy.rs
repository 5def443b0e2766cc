//! The rpc/encoded port: parts by name, values by reference, and numbers for fault codes.

use axum::http::StatusCode;
use tollbridge_xml::{Element, XmlWriter};

use super::envelope::{Fault, children, leaf};
use super::stores::{Stores, Trouble};

/// The namespace of its wrappers and types.
pub(super) const NAMESPACE: &str = "urn:alder-vale:wms:legacy";
const SOAP_ENC: &str = "http://schemas.xmlsoap.org/soap/encoding/";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What it answers to the body's element.
pub(super) fn answer(stores: &mut Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    match body.name.as_str() {
        "getPickList" => {
            let [no] = arguments(body, ["no"])?;
            get_pick_list(stores, number(no)?)
        }
        "moveBin" => {
            let [article, from, to, pieces] = arguments(body, ["article", "from", "to", "pieces"])?;
            let pieces = number(pieces)?;
            let [article, from, to] = [article, from, to].map(Element::text);
            let now =
                stores.move_bin(&article, &from, &to, pieces).map_err(|trouble| fault(&trouble))?;
            Ok(response("moveBinResponse", |out| leaf(out, "moveBinReturn", &now.to_string())))
        }
        _ => Err(numbered("3", "not allowed")),
    }
}

/// The list and its lines stand beside the answer and are referred to (SOAP 1.1 §5.2.5).
fn get_pick_list(stores: &Stores, no: i32) -> Result<Vec<u8>, Fault> {
    let list = stores.pick_list(no).map_err(|trouble| fault(&trouble))?;
    let mut body =
        response("getPickListResponse", |out| out.empty("getPickListReturn", &[("href", "#id0")]));
    let mut out = XmlWriter::fragment();
    let multi_ref = |out: &mut XmlWriter, id: &str, ty: &str| {
        let attributes = [
            ("id", id),
            ("xmlns:l", NAMESPACE),
            ("xmlns:soapenc", SOAP_ENC),
            ("xmlns:xsi", XSI),
            ("soapenc:root", "0"),
            ("xsi:type", ty),
        ];
        out.start("multiRef", &attributes);
    };
    multi_ref(&mut out, "id0", "l:PickList");
    leaf(&mut out, "no", &list.no.to_string());
    leaf(&mut out, "order", list.order);
    match list.picker {
        Some(picker) => leaf(&mut out, "picker", picker),
        None => out.empty("picker", &[("xsi:nil", "1")]),
    }
    let array_type = format!("l:PickLine[{}]", list.lines.len());
    out.start("lines", &[("xsi:type", "soapenc:Array"), ("soapenc:arrayType", &array_type)]);
    for index in 1..=list.lines.len() {
        out.empty("item", &[("href", &format!("#id{index}"))]);
    }
    out.end("lines");
    out.end("multiRef");
    for (index, line) in (1..).zip(&list.lines) {
        multi_ref(&mut out, &format!("id{index}"), "l:PickLine");
        leaf(&mut out, "article", line.article);
        leaf(&mut out, "bin", line.bin);
        leaf(&mut out, "pieces", &line.pieces.to_string());
        out.end("multiRef");
    }
    body.extend(out.finish());
    Ok(body)
}

/// The parts of a message: one each, in no namespace.
fn arguments<'e, const N: usize>(
    body: &'e Element,
    names: [&'static str; N],
) -> Result<[&'e Element; N], Fault> {
    let found = children(body, None, names).map_err(|what| numbered("2", what))?;
    let mut each = found.into_iter();
    let mut missing = false;
    let arguments = [(); N].map(|()| match each.next().as_deref() {
        Some([one]) => *one,
        _ => {
            missing = true;
            body
        }
    });
    if missing { Err(numbered("2", "a part is missing")) } else { Ok(arguments) }
}

fn number<T: std::str::FromStr>(element: &Element) -> Result<T, Fault> {
    element.text().trim().parse().map_err(|_| numbered("2", "not a number"))
}

fn response(name: &str, content: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
    let mut out = XmlWriter::fragment();
    let tag = format!("ns1:{name}");
    out.start(&tag, &[("xmlns:ns1", NAMESPACE), ("soapenv:encodingStyle", SOAP_ENC)]);
    content(&mut out);
    out.end(&tag);
    out.finish()
}

fn fault(trouble: &Trouble) -> Fault {
    match trouble {
        Trouble::NoPickList => numbered("17", "no such pick list"),
        Trouble::NoBin(bin) => numbered("18", &format!("no such bin {bin}")),
        Trouble::TooFew => numbered("19", "not enough pieces"),
        Trouble::NoArticle(_) | Trouble::NoReservation | Trouble::Locked => {
            numbered("99", "internal error")
        }
    }
}

/// SOAP 1.1 §4.4.1 wants a qualified name for a code; this port says a number.
fn numbered(code: &str, reason: &str) -> Fault {
    Fault::new(code, reason).under(StatusCode::INTERNAL_SERVER_ERROR)
}
