//! The things that all questions of one run share.

use std::sync::atomic::AtomicUsize;

use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::client::Client;
use super::saved_texts::SavedTexts;
use super::validate::Rules;
use crate::event::Observer;
use crate::resource::{Address, Artifact};
use crate::settings::Policy;

/// A resource's own check of its artifact. It returns the artifact to pin, or a complaint for the model.
///
/// It is called for one resource at a time, because one task asks all questions.
pub type Check<'a> = dyn Fn(&Address, &Artifact) -> Result<Artifact, String> + Sync + 'a;

/// The things that all questions of one run share.
pub(super) struct RunContext<'a> {
    /// A client for each model, in the order in which they are asked: the first, and its fall-backs.
    pub clients: Vec<Client<'a>>,
    /// The index of the first of them that the server knows, as far as has been found out.
    pub first: AtomicUsize,
    /// The limits of time and size, and the delays between attempts.
    pub policy: &'a Policy,
    /// The resources' own checks.
    pub check: &'a Check<'a>,
    /// The receiver of events.
    pub observer: &'a dyn Observer,
    /// The rules for answers.
    pub rules: Rules,
    /// The number of times that the answer to one question may go back to the model.
    pub max_repairs: u32,
    /// The limits of tokens and cost.
    pub budget: Budget,
    /// The folder for unusable answers and replaced edits.
    pub saved: SavedTexts,
    /// Cancelled once a failure shows that all further requests would fail too.
    pub halt: CancellationToken,
}
