//! The bridging client: one HTTP exchange for REST and SOAP.
