//! What the lock already has, and what has to be asked for.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::conversation::{self, Talk};
use super::endpoint::Endpoint;
use super::prompt::{self, Prompt};
use super::{Generation, official_images};
use crate::compile::kinds::hex_digest;
use crate::error::{Error, Result};
use crate::lockfile::{Entry, Lock};
use crate::resource::{Address, Artifact, Request};
use crate::suggestion;

/// A question that has to be asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What is wanted.
    pub request: Request,
    /// What tells this question from all others.
    pub fingerprint: String,
    /// The question as it is sent.
    pub prompt: Prompt,
    /// Whether the lock has an answer to an older form of the question.
    pub stale: bool,
    /// What the lock has, where the answer to this question is to take its place.
    pub replaces: Option<Artifact>,
}

impl Ask {
    /// The body of the first request for it, to the first model, exactly as it is sent, but for what a
    /// budget adds by then: `max_tokens`, and on OpenRouter `max_price` and `require_parameters`. The key
    /// is no part of it.
    pub fn messages(&self, endpoint: &Endpoint) -> Value {
        let models = endpoint.each_model();
        conversation::body(models.first().unwrap_or(endpoint), self, &self.prompt, &Talk::default())
    }
}

/// An artifact that needs no request.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The resource that it is for.
    pub address: Address,
    /// What the lock holds.
    pub artifact: Artifact,
    /// The model that wrote it.
    pub model: String,
    /// Who ran the model, where the server told.
    pub provider: Option<String>,
    /// Whether the user has edited it since.
    pub edited: bool,
    /// Whether it names an image that is not one of Docker's official ones.
    pub unverified: bool,
}

/// What the lock has, and what has to be asked for.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// What needs no request.
    pub pinned: Vec<Pinned>,
    /// What does.
    pub missing: Vec<Ask>,
    /// What the lock has under names that resources had before.
    renamed: Vec<(Address, Entry)>,
    pub(super) order: HashMap<Address, usize>,
    lock: PathBuf,
}

/// Which artifacts are to be asked for although the lock has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Regenerate {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those of these resources: `name`, or `Kind.name` where two kinds share a name.
    Names(Vec<String>),
}

/// Tells what the lock already has from what has to be asked for.
pub fn prepare(requests: Vec<Request>, lock: &Lock) -> Result<Prepared> {
    prepare_again(requests, lock, &Regenerate::None)
}

/// The same, where some of what the lock has is to be asked for again. What is there stays in the
/// lock until its successor is there.
pub fn prepare_again(requests: Vec<Request>, lock: &Lock, regenerate: &Regenerate) -> Result<Prepared> {
    let again = chosen(&requests, regenerate)?;
    let mut prepared = Prepared { lock: lock.path().to_path_buf(), ..Prepared::default() };
    for (index, request) in requests.into_iter().enumerate() {
        let address = request.address.clone();
        prepared.order.insert(address.clone(), index);
        let fingerprint = fingerprint(&request);
        let renamed = under_old_name(&request, lock)
            .map(|entry| Entry { fingerprint: fingerprint.clone(), ..entry.clone() });
        let entry = lock.get(&request.address).or(renamed.as_ref());
        let fresh = entry.filter(|entry| entry.fingerprint == fingerprint);
        match fresh.filter(|_| !again.contains(&index)) {
            Some(entry) => prepared.pinned.push(Pinned {
                artifact: entry.content.clone(),
                model: entry.model.clone(),
                provider: entry.provider.clone(),
                edited: entry.edited(),
                unverified: official_images::unverified(&request, &entry.content),
                address: request.address,
            }),
            None => prepared.missing.push(Ask {
                prompt: Prompt::new(&request, false)?,
                fingerprint,
                stale: entry.is_some() && fresh.is_none(),
                replaces: entry.map(|entry| entry.content.clone()),
                request,
            }),
        }
        prepared.renamed.extend(renamed.map(|entry| (address, entry)));
    }
    Ok(prepared)
}

/// What the lock has for a resource under the name that it had before, where the question was the
/// same then, and there is nothing under the new name.
fn under_old_name<'a>(request: &Request, lock: &'a Lock) -> Option<&'a Entry> {
    let name = request.renamed_from.clone().filter(|_| lock.get(&request.address).is_none())?;
    let before = Request { address: Address { name, ..request.address.clone() }, ..request.clone() };
    lock.get(&before.address).filter(|entry| entry.fingerprint == fingerprint(&before))
}

/// The places of the requests that are to be made again.
fn chosen(requests: &[Request], regenerate: &Regenerate) -> Result<HashSet<usize>> {
    let names = match regenerate {
        Regenerate::None => return Ok(HashSet::new()),
        Regenerate::All => return Ok((0..requests.len()).collect()),
        Regenerate::Names(names) => names,
    };
    let mut chosen = HashSet::new();
    for name in names {
        let fits = |address: &Address| {
            address.name == *name || format!("{}.{}", address.kind, address.name) == *name
        };
        let found: Vec<usize> =
            requests.iter().enumerate().filter(|(_, r)| fits(&r.address)).map(|(index, _)| index).collect();
        if found.is_empty() {
            let known: Vec<&str> = requests.iter().map(|request| request.address.name.as_str()).collect();
            return Err(Error::Settings(format!(
                "nothing is generated for '{}', so it cannot be generated again. {}",
                name.escape_debug(),
                suggestion::hint(name, &known, suggestion::NOTHING_GENERATED)
            )));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// What tells a question from all others: everything that it is made from, but not the model.
pub(super) fn fingerprint(request: &Request) -> String {
    // What a secret's value is does not reach the question, and a hash of it has no place in a
    // file that is committed.
    let mut question = json!({
        "prompt": prompt::VERSION,
        "kind": request.address.kind,
        "name": request.address.name,
        "template": request.template,
        "description": prompt::shown_description(request),
        "size": request.size,
        "fields": prompt::shown_fields(request),
        "schema": request.schema,
        "context": prompt::shown_context(request),
        // Of the other resources only those that it is connected to. All of them are shown, so that
        // it can refer to them, but if a new one, or a better word in another's description, made
        // everything stale, nothing would stay pinned for long.
        "connected": prompt::others(request).into_iter().filter(|other| other.connected).collect::<Vec<_>>(),
    });
    question.sort_all_objects();
    hex_digest(question.to_string().as_bytes())
}

impl Prepared {
    /// Gives what the lock has under an older name to the resource that had it.
    pub fn take_over(&mut self, lock: &mut Lock) -> Result<()> {
        self.renamed.drain(..).for_each(|(address, entry)| lock.insert(address, entry));
        lock.save()
    }

    /// What there is without asking: all of it where nothing is missing, and then there is no need
    /// of an [`Endpoint`], a key, or a local model that takes time to start.
    pub fn into_generation(self) -> Generation {
        let mut generation = Generation::of_pinned(self.pinned);
        generation.sort(&self.order);
        generation
    }

    /// Fails where the lock does not have everything: for runs that must not ask a model.
    pub fn ensure_complete(&self) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let addresses = |held: bool| {
            let asks = self.missing.iter().filter(|ask| ask.replaces.is_some() == held);
            asks.map(|ask| ask.request.address.clone()).collect()
        };
        Err(Error::Locked { path: self.lock.clone(), missing: addresses(false), stale: addresses(true) })
    }
}
