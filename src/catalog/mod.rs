//! Every operation of every API in one index.
