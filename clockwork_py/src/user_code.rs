//! Runs the user's code, which is main.py and the methods of its classes, with its folder on `sys.path`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule};

/// `sys.path` and `sys.modules` belong to the whole process, so one project at a time uses them.
static LOCK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The modules that a project has imported from its own folder.
static IMPORTED: Mutex<Option<(PathBuf, Vec<String>)>> = Mutex::new(None);

/// Runs `work` with `folder` first on `sys.path`.
///
/// The modules of another project are dropped first, so that each may have a `helpers.py` of its
/// own. With `anew`, those of this project are dropped too, so that its files are read again.
pub fn with_folder<T>(
    py: Python<'_>,
    folder: &Path,
    anew: bool,
    work: impl FnOnce() -> PyResult<T>,
) -> PyResult<T> {
    let lock =
        LOCK.get_or_try_init(py, || Ok::<_, PyErr>(py.import("threading")?.call_method0("RLock")?.unbind()))?;
    lock.call_method0(py, "acquire")?;
    let result = locked(py, folder, anew, work);
    lock.call_method0(py, "release")?;
    result
}

/// Returns true if this thread runs the user's code, and so holds the lock.
pub fn is_held(py: Python<'_>) -> PyResult<bool> {
    LOCK.get(py).map_or(Ok(false), |lock| lock.call_method0(py, "_is_owned")?.is_truthy(py))
}

fn locked<T>(py: Python<'_>, folder: &Path, anew: bool, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let sys = py.import("sys")?;
    let modules = sys.getattr("modules")?.cast_into::<PyDict>()?;
    forget(&modules, folder, anew)?;
    let before: HashSet<String> = modules.keys().iter().filter_map(|name| name.extract().ok()).collect();
    let entry = folder.display().to_string();
    set_path(&sys, |path| path.insert(0, &entry))?;
    let result = work();
    set_path(&sys, |path| {
        let is_there = path.contains(&entry)?;
        if is_there { path.call_method1("remove", (&entry,)).map(drop) } else { Ok(()) }
    })?;
    remember(&modules, &before, folder);
    result
}

/// Replaces `sys.path` by a changed copy. Another thread that is importing iterates over the
/// list, and would miss an entry if the list itself were changed: pyinfra is imported that way.
fn set_path(
    sys: &Bound<'_, PyModule>,
    change: impl FnOnce(&Bound<'_, PyList>) -> PyResult<()>,
) -> PyResult<()> {
    let path = PyList::new(sys.py(), sys.getattr("path")?.try_iter()?.collect::<PyResult<Vec<_>>>()?)?;
    change(&path)?;
    sys.setattr("path", path)
}

fn forget(modules: &Bound<'_, PyDict>, folder: &Path, anew: bool) -> PyResult<()> {
    let mut imported = IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, names)) = imported.take_if(|(of, _)| anew || of != folder) {
        for name in names {
            if modules.contains(&name)? {
                modules.del_item(&name)?;
            }
        }
    }
    Ok(())
}

fn remember(modules: &Bound<'_, PyDict>, before: &HashSet<String>, folder: &Path) {
    let own = |module: &Bound<'_, PyAny>| {
        let file: Option<PathBuf> =
            module.getattr("__file__").and_then(|file| file.extract()).unwrap_or(None);
        file.is_some_and(|file| is_own(&file, folder))
    };
    // A copy, because other threads import, and the access to a module's attribute can run code that imports.
    let modules = modules.items();
    let names = modules.iter().filter_map(|item| {
        let (name, module): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract().ok()?;
        let name: String = name.extract().ok()?;
        (!before.contains(&name) && own(&module)).then_some(name)
    });
    let names: Vec<String> = names.collect();
    let mut imported = IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    imported.get_or_insert_with(|| (folder.to_path_buf(), Vec::new())).1.extend(names);
}

/// Returns true if a file is the project's own, and not of a package installed below its folder.
pub fn is_own(file: &Path, folder: &Path) -> bool {
    file.strip_prefix(folder)
        .is_ok_and(|inside| inside.components().all(|part| part.as_os_str() != "site-packages"))
}
