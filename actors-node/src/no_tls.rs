//! Without the feature `tls` there are no certificates.

use std::{convert::Infallible, io};

use actors_core::host::Stream;

use crate::hand_shake::{HandShakeError, Role};

#[derive(Clone, Debug)]
pub(crate) struct Tls(Infallible);

pub(crate) struct Certified(Infallible);

impl Tls {
    pub(crate) async fn secure(
        &self,
        _: Stream,
        _: Role,
    ) -> Result<(Stream, Certified), HandShakeError> {
        match self.0 {}
    }

    pub(crate) fn names(&self, _: &str) -> bool {
        match self.0 {}
    }
}

impl Certified {
    pub(crate) fn binding(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn names(&self, _: &str) -> bool {
        match self.0 {}
    }
}

pub(crate) fn fault(_: &io::Error) -> Option<HandShakeError> {
    None
}
