//! The SOAP binding: envelopes, values and faults.
