//! MCP: the handler, its transports, and the layer in front of them.
