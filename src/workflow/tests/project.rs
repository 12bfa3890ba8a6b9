//! A project out of small specs.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::compile::Hosts;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::identity::{of_code, path_of};
use crate::operation::{Argument, Effects, Operation, Step};
use crate::resource::{Address, Artifact, CompiledResource, DeclaredResource, Request};
use crate::state::Removal;
use crate::workflow::ports::{Project, Source};

/// The way in which a spec says how it is taken down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Down {
    Steps,
    Unknown,
    Secret,
}

/// A small resource.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Spec {
    pub address: Address,
    pub thing: String,
    pub content: String,
    pub ports: Vec<u16>,
    pub uses: Vec<String>,
    pub protect: bool,
    pub renamed_from: Option<String>,
    pub needs: Vec<String>,
    pub hosts: Hosts,
    pub is_code: bool,
    pub down: Down,
    pub executes: bool,
    pub extra: Option<String>,
    pub version: u32,
    pub asks: Option<String>,
    pub secret: Option<String>,
    pub asserts: bool,
    /// Its operations are none of Clockwork's own, so that it cannot be set aside.
    pub foreign_steps: bool,
}

fn spec(kind: &str, name: &str, thing: String, content: &str) -> Spec {
    Spec {
        address: Address { kind: kind.into(), name: name.into() },
        thing,
        content: content.into(),
        ports: Vec::new(),
        uses: Vec::new(),
        protect: false,
        renamed_from: None,
        needs: Vec::new(),
        hosts: Hosts::All,
        is_code: false,
        down: Down::Steps,
        executes: false,
        extra: None,
        version: 1,
        asks: None,
        secret: None,
        asserts: false,
        foreign_steps: false,
    }
}

/// A file.
pub fn file(name: &str, path: &str, content: &str) -> Spec {
    spec("File", name, format!("path:{path}"), content)
}

/// A container, of which two cannot have one port.
pub fn container(name: &str, thing: &str, content: &str, ports: &[u16]) -> Spec {
    Spec { ports: ports.to_vec(), ..spec("Container", name, format!("container:{thing}"), content) }
}

/// A resource of a kind that returns code.
pub fn code(name: &str, thing: &str) -> Spec {
    Spec { is_code: true, ..spec("Job", name, format!("job:{thing}"), "x") }
}

impl Spec {
    pub fn needs(mut self, name: &str) -> Self {
        self.needs.push(name.into());
        self
    }

    pub fn uses(mut self, identity: &str) -> Self {
        self.uses.push(identity.into());
        self
    }

    pub fn on(self, hosts: &[&str]) -> Self {
        Self { hosts: Hosts::Only(hosts.iter().map(|host| (*host).to_owned()).collect()), ..self }
    }

    pub fn protected(self) -> Self {
        Self { protect: true, ..self }
    }

    pub fn down(self, down: Down) -> Self {
        Self { down, ..self }
    }

    pub fn was(self, name: &str) -> Self {
        Self { renamed_from: Some(name.into()), ..self }
    }

    /// It makes another thing besides, such as a network.
    pub fn with(self, thing: &str) -> Self {
        Self { extra: Some(thing.into()), ..self }
    }

    /// A model writes its content.
    pub fn asks(self, description: &str) -> Self {
        Self { asks: Some(description.into()), ..self }
    }

    fn identity(&self) -> String {
        if self.is_code { of_code(&self.address) } else { self.thing.clone() }
    }

    fn steps(&self, function: &str, content: &str) -> Vec<Step> {
        let mut things = vec![(self.thing.clone(), content.to_owned())];
        things.extend(self.extra.iter().map(|extra| (extra.clone(), "extra".to_owned())));
        if function == "remove" {
            things.reverse();
        }
        things.into_iter().map(|(thing, content)| self.step(function, &thing, &content)).collect()
    }

    fn step(&self, function: &str, thing: &str, content: &str) -> Step {
        let mut arguments = vec![("name", format!("{function} {thing}")), ("thing", thing.to_owned())];
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        if function == "make" {
            arguments.push(("content", content.to_owned()));
            arguments.push(("ports", if thing == self.thing { ports.join(" ") } else { String::new() }));
        }
        if self.version > 1 && function == "make" {
            arguments.push(("version", self.version.to_string()));
        }
        if self.is_code {
            let told: Vec<String> =
                arguments.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
            return Step::Code(format!("fake.{function}({})", told.join(", ")));
        }
        let mut state = Map::new();
        if function == "make" && path_of(thing).is_some() {
            state.insert("sha256".into(), json!(sha256(content.as_bytes())));
        }
        Step::Operation(Operation {
            function: format!(
                "{}.fake.{function}",
                if self.foreign_steps { "mine" } else { "clockwork.operations" }
            ),
            arguments: arguments
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Argument::Text(value)))
                .collect(),
            state,
            effects: Effects::default(),
        })
    }

    fn compile(
        &self,
        project: &FakeProject,
        artifacts: &[(Address, Artifact)],
        with_deploy: bool,
    ) -> CompiledResource {
        let artifact = artifacts.iter().find(|(address, _)| *address == self.address);
        let content = match artifact {
            Some((_, artifact)) => artifact.to_text().trim().to_owned(),
            None => self.content.clone(),
        };
        let destroy = self.steps("remove", "");
        let needs = self.needs.iter().map(|need| project.address(need)).collect();
        let mut fields = Map::new();
        fields.insert("name".into(), json!(self.address.name));
        fields.insert("thing".into(), json!(self.thing));
        fields.insert("content".into(), json!(content));
        fields.insert("ports".into(), json!(self.ports));
        CompiledResource {
            claims: self.ports.iter().map(|port| format!("port:0.0.0.0:{port}/tcp")).collect(),
            uses: self.uses.clone(),
            source: Some("main.py".into()),
            protect: self.protect,
            needs,
            hosts: self.hosts.clone(),
            deploy: if with_deploy { self.steps("make", &content) } else { Vec::new() },
            removal: match self.down {
                Down::Steps => Removal::Steps(destroy.clone()),
                Down::Unknown => Removal::Unknown,
                Down::Secret => Removal::Secret,
            },
            destroy: (self.down != Down::Unknown).then_some(destroy),
            given: fields.keys().cloned().collect(),
            fields,
            executes: self.executes,
            text_field: self.asks.as_ref().map(|_| "content".into()),
            secrets: self.secret.iter().cloned().collect(),
            ..CompiledResource::new(self.address.clone(), self.identity())
        }
    }
}

/// A project that main.py would define.
pub struct FakeProject {
    folder: PathBuf,
    specs: Vec<Spec>,
    declared: Vec<DeclaredResource>,
}

impl FakeProject {
    fn new(folder: &Path, specs: Vec<Spec>) -> Self {
        let place = |name: &String| specs.iter().position(|spec| spec.address.name == *name).unwrap();
        let declared = specs.iter().map(|spec| DeclaredResource {
            address: spec.address.clone(),
            renamed_from: spec.renamed_from.clone(),
            group: None,
            needs: spec.needs.iter().map(place).collect(),
            defined_at: None,
        });
        let declared = declared.collect();
        Self { folder: folder.to_path_buf(), specs, declared }
    }

    fn address(&self, name: &str) -> Address {
        self.specs.iter().find(|spec| spec.address.name == name).unwrap().address.clone()
    }
}

impl Project for FakeProject {
    fn folder(&self) -> &Path {
        &self.folder
    }

    fn source(&self) -> Option<&str> {
        Some("main.py")
    }

    fn resources(&self) -> &[DeclaredResource] {
        &self.declared
    }

    fn requests(&self, places: &[usize]) -> Result<Vec<Request>> {
        let asking = places.iter().map(|place| &self.specs[*place]).filter(|spec| spec.asks.is_some());
        let requests = asking.map(|spec| Request {
            address: spec.address.clone(),
            renamed_from: spec.renamed_from.clone(),
            text: true,
            instructions: None,
            description: spec.asks.clone(),
            size: crate::resource::ArtifactSize::Small,
            fields: Map::new(),
            placement: Vec::new(),
            schema: None,
            context: Vec::new(),
            project: Vec::new(),
        });
        Ok(requests.collect())
    }

    fn check_answer(&self, _: &Address, artifact: &Artifact) -> Result<Result<Artifact, String>> {
        Ok(Ok(artifact.clone()))
    }

    fn compile(
        &self,
        places: &[usize],
        artifacts: &[(Address, Artifact)],
        with_deploy: bool,
    ) -> Result<Vec<(CompiledResource, Map<String, Value>)>> {
        let compiled = places.iter().map(|place| self.specs[*place].compile(self, artifacts, with_deploy));
        Ok(compiled.map(|resource| (resource.clone(), resource.fields)).collect())
    }

    fn inventory(&self) -> Result<String> {
        Ok("hosts = []\n".to_owned())
    }

    fn fact_module(&self, _: &str) -> Option<String> {
        None
    }

    fn has_assertions(&self, places: &[usize]) -> Result<bool> {
        Ok(places.iter().any(|place| self.specs[*place].asserts))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A folder that has a main.py, or had one.
pub struct FakeSource<'a> {
    pub folder: &'a Path,
    pub specs: Option<Vec<Spec>>,
}

impl Source for FakeSource<'_> {
    fn load(&self, _: bool) -> Result<Box<dyn Project + '_>> {
        let Some(specs) = &self.specs else {
            let (path, reason) = (self.folder.join("main.py"), "there is no such file".to_owned());
            return Err(Error::Read { path, reason });
        };
        Ok(Box::new(FakeProject::new(self.folder, specs.clone())))
    }

    fn place(&self) -> Option<(PathBuf, String)> {
        Some((self.folder.to_path_buf(), "main.py".to_owned()))
    }

    fn inventory(&self) -> Result<String> {
        Ok(String::new())
    }
}
