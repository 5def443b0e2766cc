//! SOAP encoding's arrays, as schemas describe them (SOAP 1.1 §5.4.2, WSDL 1.1 §2.2).

use std::sync::Arc;

use super::Fault;
use super::compile::Compiler;
use super::content::Parts;
use super::particle::bare;
use super::written::{path, qname, xsd_children};
use crate::documents::WSDL;
use crate::name::QName;
use crate::xsd::Component;

impl<'d> Compiler<'d> {
    /// SOAP encoding's array: its items' type is in `wsdl:arrayType`, or in the sequence.
    pub(super) fn array(&mut self, step: Component<'d>) -> Result<Parts, Fault> {
        let spelled = step.element.elements().find_map(|child| {
            let said = child.attribute(Some(WSDL), "arrayType")?;
            Some((child, said))
        });
        let mut item = None;
        for child in xsd_children(step.element) {
            if matches!(child.name.as_str(), "sequence" | "all" | "choice") {
                let at = Component { element: child, context: step.context };
                item = self
                    .particle(at, 0)?
                    .and_then(|particle| particle.elements().first().map(|e| Arc::clone(e)));
            }
        }
        let mut item_type = None;
        if let Some((at, said)) = spelled {
            // `tns:Order[]`, `xsd:string[,]`, `tns:Order[][2]`.
            let (name, ranks) = said.split_once('[').unwrap_or((said, ""));
            if ranks.matches('[').count() > 0 || ranks.contains(',') {
                let reason = "arrays of several dimensions are not bridged";
                return Err(Fault::new(path(step.element), reason));
            }
            let at = Component { element: at, context: step.context };
            let name = qname(at, name)?;
            let ty = self.type_named(&name, Some(step))?;
            item_type = Some(name);
            let named = item.map_or_else(|| QName::new(None, "item"), |item| item.name.clone());
            item = Some(Arc::new(bare(named, ty)));
        }
        let item = match item {
            Some(item) => item,
            None => {
                let ty = self.anything();
                Arc::new(bare(QName::new(None, "item"), ty))
            }
        };
        Ok(Parts { array: Some((item, item_type)), ..Parts::default() })
    }
}
