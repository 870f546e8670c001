//! The process harness of the workspace tests.
