//! The project of Python objects: the port `Project` of the core.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clockwork_core::compile;
use clockwork_core::error::Result;
use clockwork_core::intent::SecretValues;
use clockwork_core::resource::{Address, Artifact, CompiledResource, DeclaredResource, Request};
use clockwork_core::workflow::ports::{Project, Source};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::pythonize;
use serde_json::{Map, Value};

use crate::{check, errors, load, question, resource, user_code};

/// The source of a project: a path, or a list of resources.
pub struct PySource {
    /// The path or the list.
    pub source: Py<PyAny>,
    /// A `PyInfraCompiler` that writes the inventory.
    pub compiler: Option<Py<PyAny>>,
}

/// A loaded project.
pub struct PyProject {
    /// The folder of main.py; the working folder where resources were passed as a list.
    pub folder: PathBuf,
    /// The name of the file that defines the resources; none where they were passed as a list.
    pub source: Option<String>,
    /// The resources, converted for the core.
    pub declared: Vec<DeclaredResource>,
    /// The resources, in the same order.
    pub resources: Vec<Py<PyAny>>,
    /// A `PyInfraCompiler` that writes the inventory.
    pub compiler: Option<Py<PyAny>>,
    /// The questions that the resources ask a model, in the same order. Each is given once, and so is an error.
    pub requests: Mutex<Vec<PyResult<Option<Request>>>>,
    /// True if the run was started inside main.py, which holds the lock of the user's code.
    pub is_inside: bool,
}

impl PySource {
    /// The source of a run.
    pub fn new(source: &Bound<'_, PyAny>, compiler: Option<&Bound<'_, PyAny>>) -> Self {
        Self { source: source.clone().unbind(), compiler: compiler.map(|compiler| compiler.clone().unbind()) }
    }

    /// The source at a path.
    pub fn at(py: Python<'_>, path: &str) -> PyResult<Self> {
        Ok(Self { source: path.into_pyobject(py)?.into_any().unbind(), compiler: None })
    }
}

impl Source for PySource {
    fn load(&self, asks: bool) -> Result<Box<dyn Project + '_>> {
        errors::attached(|py| {
            let mut project = load::load(self.source.bind(py))?;
            project.compiler = self.compiler.as_ref().map(|compiler| compiler.clone_ref(py));
            if asks {
                project.ask(py)?;
            }
            Ok(Box::new(project) as Box<dyn Project>)
        })
    }

    fn place(&self) -> Option<(PathBuf, String)> {
        Python::attach(|py| self.source.extract::<PathBuf>(py).ok().map(|path| load::place(&path)))
    }

    fn inventory(&self) -> Result<String> {
        inventory(self.compiler.as_ref())
    }
}

/// The inventory that a compiler gives; this machine without one.
fn inventory(compiler: Option<&Py<PyAny>>) -> Result<String> {
    errors::attached(|py| match compiler {
        Some(compiler) => Ok(compiler.call_method0(py, "_generate_inventory")?.extract(py)?),
        None => Ok(compile::DEFAULT_INVENTORY.to_owned()),
    })
}

impl PyProject {
    /// Asks all resources what they want of a model.
    fn ask(&mut self, py: Python<'_>) -> PyResult<()> {
        // A run inside main.py must not wait for the lock that main.py holds.
        self.is_inside = user_code::is_held(py)?;
        let requests = user_code::with_folder(py, &self.folder, false, || {
            let all: Vec<_> = self
                .resources
                .iter()
                .map(|resource| question::in_project(resource.bind(py)))
                .collect::<PyResult<_>>()?;
            let ask = |resource: &Py<PyAny>| question::request(resource.bind(py), &all, &self.folder);
            Ok(self.resources.iter().map(ask).collect())
        })?;
        self.requests = Mutex::new(requests);
        Ok(())
    }

    fn at<'py>(&self, py: Python<'py>, place: usize) -> Option<&Bound<'py, PyAny>> {
        self.resources.get(place).map(|resource| resource.bind(py))
    }

    fn compiled(
        &self,
        py: Python<'_>,
        places: &[usize],
        artifacts: &[(Address, Artifact)],
        with_deploy: bool,
    ) -> PyResult<Vec<(CompiledResource, Map<String, Value>)>> {
        let by_name = PyDict::new(py);
        for (address, artifact) in artifacts {
            by_name.set_item(&address.name, pythonize(py, artifact)?)?;
        }
        let mut secrets = SecretValues::default();
        let mut all = Vec::with_capacity(places.len());
        for &place in places {
            let Some(resource) = self.at(py, place) else { continue };
            let declared = &self.declared[place];
            let address = &declared.address;
            let own = artifacts.iter().find(|(of, _)| of == address).map(|(_, artifact)| artifact);
            // The resource's own artifact is always under its bare name, even if another resource has this name too.
            let name: String = resource.getattr("name")?.extract()?;
            let given = by_name.copy()?;
            match own {
                Some(artifact) => given.set_item(&name, pythonize(py, artifact)?)?,
                None if given.contains(&name)? => given.del_item(&name)?,
                None => {}
            }
            let (mut compiled, values) =
                resource::compile(resource, own, &given, with_deploy, &self.folder, &mut secrets)?;
            compiled.source.clone_from(&self.source);
            compiled.needs = declared.needs.iter().map(|need| self.declared[*need].address.clone()).collect();
            compiled.named_secrets = secrets.clone();
            all.push((compiled, values));
        }
        Ok(all)
    }
}

impl Project for PyProject {
    fn folder(&self) -> &Path {
        &self.folder
    }

    fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    fn resources(&self) -> &[DeclaredResource] {
        &self.declared
    }

    fn requests(&self, places: &[usize]) -> Result<Vec<Request>> {
        let mut all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut requests = Vec::new();
        for &place in places {
            let request = all.get_mut(place).map_or(Ok(None), |request| std::mem::replace(request, Ok(None)));
            requests.extend(errors::attached(|_| request)?);
        }
        Ok(requests)
    }

    fn check_answer(
        &self,
        address: &Address,
        artifact: &Artifact,
    ) -> Result<std::result::Result<Artifact, String>> {
        let Some(place) = self.declared.iter().position(|declared| declared.address == *address) else {
            return Ok(Ok(artifact.clone()));
        };
        errors::attached(|py| {
            let artifact = pythonize(py, artifact)?;
            let check = || question::check_artifact(self.resources[place].bind(py), &artifact, &self.folder);
            if self.is_inside { check() } else { user_code::with_folder(py, &self.folder, false, check) }
        })
    }

    fn compile(
        &self,
        places: &[usize],
        artifacts: &[(Address, Artifact)],
        with_deploy: bool,
    ) -> Result<Vec<(CompiledResource, Map<String, Value>)>> {
        errors::attached(|py| {
            user_code::with_folder(py, &self.folder, false, || {
                self.compiled(py, places, artifacts, with_deploy)
            })
        })
    }

    fn inventory(&self) -> Result<String> {
        inventory(self.compiler.as_ref())
    }

    fn fact_module(&self, name: &str) -> Option<String> {
        Python::attach(|py| {
            let module = py.import("clockwork._facts").ok()?;
            module.call_method1("module_of", (name,)).ok()?.extract().ok()?
        })
    }

    fn has_assertions(&self, places: &[usize]) -> Result<bool> {
        errors::attached(|py| check::is_asked_for(py, self, places))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
