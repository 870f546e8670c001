//! The hosts of this machine: one for each runtime that a feature names. They differ in what runs
//! tasks and polls sockets; clock, randomness and disk are the same.

#[cfg(any(feature = "async-std", feature = "smol"))]
mod async_io;
#[cfg(feature = "async-std")]
mod async_std;
#[cfg(any(feature = "async-std", feature = "smol", feature = "tokio"))]
mod background;
#[cfg(any(feature = "async-std", feature = "smol", feature = "tokio"))]
mod machine;
#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;
#[cfg(feature = "tokio")]
mod tokio_stream;

use super::Host;

impl Host {
    /// This machine: threads of the default runtime, its clock, TCP, its file systems.
    ///
    /// The default runtime is the first of async-std, smol and tokio that is enabled by its feature.
    ///
    /// # Panics
    /// Without any of them: enable one, or give [`SystemBuilder::host`](crate::SystemBuilder::host)
    /// a host.
    pub fn real() -> Self {
        #[cfg(feature = "async-std")]
        return Self::async_std();
        #[cfg(all(feature = "smol", not(feature = "async-std")))]
        return Self::smol();
        #[cfg(all(feature = "tokio", not(any(feature = "async-std", feature = "smol"))))]
        return Self::tokio();
        #[cfg(not(any(feature = "async-std", feature = "smol", feature = "tokio")))]
        panic!("no runtime: enable `async-std`, `smol` or `tokio` of actors-core, or name a host");
    }

    /// This machine, with tasks on the threads of async-std (`ASYNC_STD_THREAD_COUNT` of them, or as
    /// many as the machine runs at once).
    ///
    /// With the feature `tokio1`, handlers can use libraries that need a tokio runtime: these threads
    /// are within the context of one.
    #[cfg(feature = "async-std")]
    pub fn async_std() -> Self {
        async_std::host()
    }

    /// This machine, with tasks on threads of smol's executor that all such hosts of the process
    /// share: `SMOL_THREADS` of them, or as many as the machine runs at once, then at least two.
    #[cfg(feature = "smol")]
    pub fn smol() -> Self {
        smol::host()
    }

    /// This machine, with tasks on the tokio runtime that this is called in; outside of any, on one
    /// with several threads of its own, which ends with the last clone of the host and the last of its
    /// tasks.
    ///
    /// # Panics
    /// If threads for its own runtime cannot be started.
    #[cfg(feature = "tokio")]
    pub fn tokio() -> Self {
        tokio::host()
    }

    /// This machine, with tasks on a tokio runtime with time and I/O enabled. Nothing runs any more
    /// once that is shut down, or, if it is of one thread, while nobody is within its `block_on`.
    #[cfg(feature = "tokio")]
    pub fn tokio_from(handle: ::tokio::runtime::Handle) -> Self {
        tokio::host_from(handle)
    }
}
