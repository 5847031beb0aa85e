//! The runtime's own tests.
