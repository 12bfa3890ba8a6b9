//! The one tokio runtime of the process.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};

/// Returns the runtime. The first call starts it.
pub fn get() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().thread_name("clockwork").build();
    let built = built.map_err(|error| Error::Settings(format!("no thread can be started: {error}")))?;
    Ok(RUNTIME.get_or_init(|| built))
}
