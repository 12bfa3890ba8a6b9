//! Setting aside: things that are in the way of new ones wait until these are there, or come back.

use super::Run;
use super::apply::{Beside, on_hosts};
use super::ports::{Aside, Permission, Permissions, Session};
use crate::compile::{Script, Work};
use crate::error::Result;
use crate::operation::{Argument, Step};
use crate::outcome::{Action, DeployOutcome, Report, ResourceOutcome};
use crate::plan;
use crate::resource::{Address, CompiledResource};

impl Run<'_> {
    /// The permissions under which it is planned to set things aside: what comes after that is planned with the room
    /// that they make.
    pub(super) fn set_aside_permissions(
        &self,
        script: &Script,
        beside: &Beside,
        session: &dyn Session,
    ) -> Permissions {
        let mut permissions = Permissions::new();
        for (place, section) in script.sections.iter().enumerate() {
            let is_aside = |work: &&Work| work.identity == section.identity && work.hosts == section.hosts;
            if !beside.set_aside.iter().any(|work| is_aside(&work)) {
                continue;
            }
            let room_for = self.room_for(&section.identity);
            let permission = Permission { aside: Some(Aside::SetAside), room_for, ..Permission::default() };
            for host in session.hosts().into_iter().filter(|host| section.hosts.has(host)) {
                permissions.insert((host, place), permission.clone());
            }
        }
        permissions
    }

    /// Ends what was set aside: it goes where the new things are there, and comes back where one of them failed.
    pub(super) fn end_set_aside(
        &self,
        session: &mut dyn Session,
        report: &Report,
        beside: &Beside,
        planned: &DeployOutcome,
        not_aside: &DeployOutcome,
        deployed: &mut DeployOutcome,
    ) -> Result<DeployOutcome> {
        if beside.set_aside.is_empty() {
            return Ok(DeployOutcome::default());
        }
        let concerned: Vec<&Address> = beside.set_aside.iter().map(|work| &work.address).collect();
        let failed = |host: &str| {
            let not_aside = not_aside.resources.iter().any(|r| r.host == host);
            let not_there = |r: &ResourceOutcome| {
                r.host == host
                    && concerned.contains(&&r.address)
                    && (r.error.is_some() || r.action == Action::Skipped)
            };
            not_aside || deployed.resources.iter().any(not_there)
        };
        let back = on_hosts(&beside.set_aside, |_, host| failed(host));
        let gone = on_hosts(&beside.set_aside, |_, host| !failed(host));
        // All new things go before the first old one comes back: they may hold what it needs.
        let in_the_way = self.made_in_the_way(&back, deployed);
        let cleared = self.take_down(session, report, &in_the_way, planned, None)?;
        self.take_down(session, report, &back, planned, Some(Aside::Clear))?;
        let put_back = self.take_down(session, report, &back, planned, Some(Aside::PutBack))?;
        self.restore(&put_back)?;
        for resource in &mut deployed.resources {
            let mut undone = put_back.resources.iter().chain(&cleared.resources);
            let is_back = undone.any(|r| r.address == resource.address && r.host == resource.host);
            if is_back && resource.error.is_none() {
                let why =
                    "what it takes the place of was put back, because another resource failed".to_owned();
                resource.error = Some(why);
            }
        }
        let dropped = self.take_down(session, report, &gone, planned, Some(Aside::Drop))?;
        // A thing that stays at its place has the entry of the new one.
        let moved = |r: &&ResourceOutcome| !self.resources.iter().any(|c| c.identity == r.identity);
        let gone = dropped.resources.iter().filter(moved).cloned().collect();
        self.record(&DeployOutcome { resources: gone, ..DeployOutcome::default() })?;
        Ok(plan::merge(put_back, dropped))
    }

    /// The removals of what was made in this run and is in the way of things that come back: new forms of theirs in
    /// another place, and new things that hold what they had.
    fn made_in_the_way(&self, back: &[Work], deployed: &DeployOutcome) -> Vec<Work> {
        let is_made = |identity: &str, host: &str| {
            let mut rows = deployed.resources.iter().filter(|r| r.identity == identity && r.host == host);
            rows.any(|r| r.action == Action::Create && r.changed)
        };
        let is_in_the_way = |new: &CompiledResource, work: &Work| {
            let entries = self.scope.state.entries().iter();
            let mut had = entries.filter(|e| e.identity == work.identity && work.hosts.has(&e.host));
            work.identity != new.identity
                && (work.address == new.address || had.any(|entry| plan::blocks(entry, new)))
        };
        let removal = |new: &CompiledResource| {
            let work = back.iter().find(|work| is_in_the_way(new, work))?;
            let (address, identity) = (new.address.clone(), new.identity.clone());
            Some(Work { address, identity, steps: new.destroy.clone()?, needs: Vec::new(), ..work.clone() })
        };
        let work: Vec<Work> = self.resources.iter().rev().filter_map(removal).collect();
        on_hosts(&work, is_made)
    }

    /// The removals that are rows of a report: setting aside a thing that stays at its place is none.
    pub(super) fn rows(&self, mut removals: DeployOutcome, beside: &Beside) -> DeployOutcome {
        let stays = |r: &ResourceOutcome| {
            let is_aside =
                beside.set_aside.iter().any(|work| work.identity == r.identity && work.hosts.has(&r.host));
            is_aside && r.error.is_none() && self.resources.iter().any(|c| c.identity == r.identity)
        };
        removals.resources.retain(|resource| !stays(resource));
        removals
    }
}

/// Names the steps of a removal for the part of it that is done.
pub(super) fn named_for(work: &Work, aside: Option<Aside>) -> Work {
    let Some(aside) = aside else { return work.clone() };
    let part = match aside {
        Aside::SetAside => "set aside",
        Aside::Clear => "clear the way back",
        Aside::PutBack => "put back",
        Aside::Drop => "drop what was set aside",
    };
    let mut work = work.clone();
    for step in &mut work.steps {
        let Step::Operation(operation) = step else { continue };
        for (name, value) in &mut operation.arguments {
            if name == "name" {
                *value = Argument::Text(format!("{}: {part}", work.address.name));
            }
        }
    }
    work
}

/// True if a thing is set aside: one that moves, or one that is going to be replaced where it is.
pub(super) fn makes_room(identity: &str, host: &str, planned: &DeployOutcome) -> bool {
    let stays = |r: &ResourceOutcome| r.identity == identity && r.host == host && !r.action.is_change();
    !planned.resources.iter().any(stays)
}
