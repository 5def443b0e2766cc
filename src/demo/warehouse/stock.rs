//! The document/literal port: its elements, and answers that are not quite what they should be.

use tollbridge_xml::{Element, XmlWriter};

use super::envelope::{Fault, children, leaf};
use super::stores::{Cause, SITES, Stores, Trouble, Wanted};

/// The namespace of its elements.
pub(super) const NAMESPACE: &str = "urn:alder-vale:wms:types";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What it answers to the body's element.
pub(super) fn answer(stores: &mut Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    match body.name.as_str() {
        "GetStock" => get_stock(stores, body),
        "GetMovements" => get_movements(stores, body),
        "ReserveStock" => reserve_stock(stores, body),
        "ReleaseReservation" => release_reservation(stores, body),
        _ => Err(Fault::new("soapenv:Client", "WMS-0002 no such operation")),
    }
}

/// The elements of the lines stand in another order than in the schema, with one more that it
/// does not know, and the delivery is whatever stands in the table.
fn get_stock(stores: &mut Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    let [article, site] = sequence(body, ["ArticleNo", "Site"])?;
    let article = text(&article, "ArticleNo")?;
    let site = site.first().map(|site| site_of(site)).transpose()?;
    let lines = stores.stock(&article, site.as_deref()).map_err(|trouble| fault(&trouble))?;
    Ok(response("GetStockResponse", |out| {
        for line in lines {
            out.start("Line", &[]);
            leaf(out, "Reserved", &line.reserved.to_string());
            leaf(out, "Site", line.site);
            leaf(out, "OnHand", &line.on_hand.to_string());
            leaf(out, "CountedBy", "m.tanner");
            if !line.next_delivery.is_empty() {
                leaf(out, "NextDelivery", line.next_delivery);
            }
            out.end("Line");
        }
    }))
}

fn get_movements(stores: &Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    let [article, since, most] = sequence(body, ["ArticleNo", "Since", "Max"])?;
    let article = text(&article, "ArticleNo")?;
    let since = since.first().map(|since| since.text());
    let most = match most.first() {
        Some(most) => most.text().parse().map_err(|_| invalid("Max"))?,
        None => 50,
    };
    let found =
        stores.movements(&article, since.as_deref(), most).map_err(|trouble| fault(&trouble))?;
    Ok(response("GetMovementsResponse", |out| {
        for movement in found {
            let (ty, name, value) = match movement.cause {
                Cause::Receipt(supplier) => ("w:Receipt", "Supplier", supplier),
                Cause::Issue(order) => ("w:Issue", "OrderNo", order),
            };
            let declared = [
                ("xmlns:xsi", XSI),
                ("xmlns:w", NAMESPACE),
                ("xsi:type", ty),
                ("no", &movement.no.to_string()),
            ];
            out.start("Movement", &declared);
            leaf(out, "Site", movement.site);
            leaf(out, "Quantity", &movement.quantity.to_string());
            leaf(out, "At", movement.at);
            leaf(out, name, value);
            out.end("Movement");
        }
    }))
}

fn reserve_stock(stores: &mut Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    let [order, lines] = sequence(body, ["OrderNo", "Line"])?;
    text(&order, "OrderNo")?;
    if lines.is_empty() {
        return Err(invalid("Line"));
    }
    let mut wanted = Vec::new();
    for line in lines {
        let [article, site, quantity] = sequence(line, ["ArticleNo", "Site", "Quantity"])?;
        let quantity = text(&quantity, "Quantity")?.parse().map_err(|_| invalid("Quantity"))?;
        wanted.push(Wanted {
            article: text(&article, "ArticleNo")?,
            site: site_of(site.first().ok_or_else(|| invalid("Site"))?)?,
            quantity,
        });
    }
    let no = stores.reserve(wanted).map_err(|trouble| fault(&trouble))?;
    Ok(response("ReserveStockResponse", |out| leaf(out, "ReservationNo", &no.to_string())))
}

fn release_reservation(stores: &mut Stores, body: &Element) -> Result<Vec<u8>, Fault> {
    let [no] = sequence(body, ["ReservationNo"])?;
    let no = text(&no, "ReservationNo")?.parse().map_err(|_| invalid("ReservationNo"))?;
    let released = stores.release(no).map_err(|trouble| fault(&trouble))?;
    let released = if released { "1" } else { "0" };
    Ok(response("ReleaseReservationResponse", |out| leaf(out, "Released", released)))
}

fn sequence<'e, const N: usize>(
    element: &'e Element,
    names: [&'static str; N],
) -> Result<[Vec<&'e Element>; N], Fault> {
    children(element, Some(NAMESPACE), names)
        .map_err(|what| Fault::new("soapenv:Client", &format!("WMS-0003 {what}")))
}

fn text(found: &[&Element], name: &str) -> Result<String, Fault> {
    match found {
        [one] => Ok(one.text()),
        _ => Err(invalid(name)),
    }
}

fn site_of(element: &Element) -> Result<String, Fault> {
    let site = element.text();
    if SITES.contains(&site.as_str()) { Ok(site) } else { Err(invalid("Site")) }
}

fn response(name: &str, content: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
    let mut out = XmlWriter::fragment();
    out.start(name, &[("xmlns", NAMESPACE)]);
    content(&mut out);
    out.end(name);
    out.finish()
}

fn invalid(field: &str) -> Fault {
    error("soapenv:Client", "WMS-0003 the message is not valid", "WMS-0003", Some(field))
}

fn fault(trouble: &Trouble) -> Fault {
    match trouble {
        Trouble::NoArticle(article) => {
            let reason = format!("WMS-0404 article {article} not on file");
            error("soapenv:Client", &reason, "WMS-0404", Some("ArticleNo"))
        }
        Trouble::NoReservation => {
            error("soapenv:Client", "WMS-0404 no such reservation", "WMS-0404", None)
        }
        Trouble::TooFew => error("soapenv:Client", "WMS-0409 stock too low", "WMS-0409", None),
        Trouble::Locked => {
            error("soapenv:Server", "WMS-0054 table STOCK locked, try again", "WMS-0054", None)
        }
        Trouble::NoPickList | Trouble::NoBin(_) => {
            error("soapenv:Server", "WMS-9999 internal error", "WMS-9999", None)
        }
    }
}

fn error(fault: &str, reason: &str, code: &str, field: Option<&str>) -> Fault {
    let mut out = XmlWriter::fragment();
    out.start("WmsError", &[("xmlns", NAMESPACE)]);
    leaf(&mut out, "Code", code);
    if let Some(field) = field {
        leaf(&mut out, "Field", field);
    }
    out.end("WmsError");
    Fault::new(fault, reason).with_detail(out.finish())
}
