//! Which resources a name stands for, and what else they take along.

use std::collections::BTreeSet;

use super::Graph;
use crate::error::{Error, Result};
use crate::suggestion;

impl Graph {
    /// The places of the resources that the names stand for, and of all that they need, or of all that
    /// needs them, however far away. In ascending order, each once; of no names, none.
    ///
    /// A name is that of a resource, `Kind.name`, or the path of a group. Where several are called the
    /// same, all of them are meant. The last part of a group's path will do where nothing else is
    /// called that.
    pub fn select(&self, names: &[String], needs: bool) -> Result<Vec<usize>> {
        let mut selected = vec![false; self.nodes.len()];
        let mut next = Vec::new();
        for name in names {
            next.extend(self.called(name)?);
        }
        let mut reverse = vec![Vec::new(); if needs { 0 } else { self.nodes.len() }];
        if !needs {
            for (node, its) in self.needs.iter().enumerate() {
                for need in its {
                    reverse[*need].push(node);
                }
            }
        }
        let along = if needs { &self.needs } else { &reverse };
        while let Some(node) = next.pop() {
            if !std::mem::replace(&mut selected[node], true) {
                next.extend(along.get(node).into_iter().flatten());
            }
        }
        Ok((0..self.nodes.len()).filter(|node| selected[*node]).collect())
    }

    /// The path of the group that a node is in.
    pub fn group(&self, node: usize) -> Option<&str> {
        self.groups.get(node)?.as_deref()
    }

    /// The paths of all groups that have a resource, those around others too, in order of their names.
    pub fn group_paths(&self) -> BTreeSet<&str> {
        self.groups.iter().flatten().flat_map(|path| around(path)).collect()
    }

    /// The places of the resources that a name stands for.
    fn called(&self, name: &str) -> Result<Vec<usize>> {
        let fits = |node: &usize| {
            self.nodes[*node].is_called(name)
                || self.group(*node).is_some_and(|path| around(path).any(|path| path == name))
        };
        let found: Vec<usize> = (0..self.nodes.len()).filter(fits).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let paths = self.group_paths();
        let ends: Vec<&str> = paths.iter().copied().filter(|path| last(path) == name).collect();
        match &ends[..] {
            [path] => self.called(path),
            [] => {
                let names = self.nodes.iter().map(|address| address.name.as_str());
                let known: Vec<&str> = names.chain(paths).collect();
                let hint = suggestion::hint(name, &known, "There are none.");
                let reason = format!("is no resource or group of this project. {hint}");
                Err(Error::Target { name: name.to_owned(), reason })
            }
            several => {
                let several = several.join(", ");
                let reason =
                    format!("is the name of several groups: give the whole path of one, of {several}");
                Err(Error::Target { name: name.to_owned(), reason })
            }
        }
    }
}

/// A group's path, and those of the groups that it is in.
pub(super) fn around(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).chain([path])
}

/// The last part of a group's path: its own name.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resource::Address;

    fn node(kind: &str, name: &str) -> Address {
        Address { kind: kind.into(), name: name.into() }
    }

    /// base ← db (webapp/storage) ← web (webapp) ← report; cache and another web are on their own.
    fn project() -> Graph {
        let nodes = [
            ("File", "base"),
            ("Docker", "db"),
            ("Docker", "web"),
            ("File", "report"),
            ("Docker", "cache"),
            ("File", "web"),
        ];
        let groups = [None, Some("webapp/storage"), Some("webapp"), None, Some("other/storage"), None];
        Graph {
            nodes: nodes.iter().map(|(kind, name)| node(kind, name)).collect(),
            needs: vec![vec![], vec![0], vec![1], vec![2], vec![], vec![]],
            groups: groups.iter().map(|group| group.map(str::to_owned)).collect(),
        }
    }

    fn select(names: &[&str], needs: bool) -> Vec<usize> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        project().select(&names, needs).unwrap()
    }

    fn failure(name: &str) -> String {
        project().select(&[name.to_owned()], true).unwrap_err().to_string()
    }

    #[test]
    fn a_name_takes_along_what_it_needs_or_what_needs_it() {
        assert_eq!(select(&["db"], true), [0, 1]);
        assert_eq!(select(&["db"], false), [1, 2, 3]);
        assert_eq!(select(&["cache", "base", "cache"], true), [0, 4]);
        assert_eq!(select(&[], true), [0_usize; 0]);
    }

    #[test]
    fn a_name_that_kinds_share_stands_for_all_unless_the_kind_is_said() {
        assert_eq!(select(&["web"], true), [0, 1, 2, 5]);
        assert_eq!(select(&["File.web"], true), [5]);
        assert_eq!(select(&["Docker.web"], false), [2, 3]);
    }

    #[test]
    fn a_group_stands_for_all_that_is_in_it() {
        assert_eq!(select(&["webapp"], false), [1, 2, 3]);
        assert_eq!(select(&["other/storage"], true), [4]);
        assert_eq!(select(&["other"], true), [4]);
        let mut graph = project();
        graph.nodes[3].name = "webapp".into();
        graph.needs[3].clear();
        assert_eq!(
            graph.select(&["webapp".into()], false).unwrap(),
            [1, 2, 3],
            "the resource of that name too"
        );
    }

    #[test]
    fn the_last_part_of_a_path_will_do_where_it_is_the_only_one() {
        let mut graph = project();
        graph.groups[4] = None;
        assert_eq!(graph.select(&["storage".into()], true).unwrap(), [0, 1]);
        graph.nodes[4].name = "storage".into();
        assert_eq!(graph.select(&["storage".into()], true).unwrap(), [4], "a whole name comes first");
    }

    #[test]
    fn what_is_no_name_is_told_with_what_may_be_meant() {
        assert_eq!(
            failure("storage"),
            "'storage' is the name of several groups: give the whole path of one, of other/storage, webapp/storage"
        );
        assert_eq!(
            failure("wepapp"),
            "'wepapp' is no resource or group of this project. Did you mean 'webapp'?"
        );
        assert_eq!(
            failure("nothing\n"),
            "'nothing\\n' is no resource or group of this project. There are: base, cache, db, other, \
             other/storage, report, web, webapp, webapp/storage."
        );
        assert!(failure("Docker.report").contains("is no resource"));
        assert!(failure("").contains("is no resource"));
        assert!(failure("web/").contains("is no resource"));
    }

    proptest! {
        #[test]
        fn a_selection_is_closed_and_no_larger_than_it_has_to_be(
            edges in prop::collection::vec((0..20_usize, 0..20_usize), 0..60),
            names in prop::collection::vec(0..20_usize, 0..4),
            needs: bool,
        ) {
            let mut graph = Graph {
                nodes: (0..20).map(|i| node("K", &i.to_string())).collect(),
                needs: vec![Vec::new(); 20],
                groups: vec![None; 20],
            };
            for (a, b) in edges {
                graph.needs[a].push(b);
            }
            let typed: Vec<String> = names.iter().map(ToString::to_string).collect();
            let selected = graph.select(&typed, needs).unwrap();
            prop_assert!(selected.is_sorted_by(|a, b| a < b));
            prop_assert!(names.iter().all(|name| selected.contains(name)));
            let taken_along = |from: usize, to: usize| {
                if needs { graph.needs[from].contains(&to) } else { graph.needs[to].contains(&from) }
            };
            for node in 0..20 {
                let from_selected = selected.iter().any(|other| taken_along(*other, node));
                prop_assert!(!from_selected || selected.contains(&node), "{node} is missing");
            }
            // Without a node that was not named, what is left is no longer closed from what was named.
            let mut reached = names.clone();
            let mut at = 0;
            while at < reached.len() {
                let more: Vec<usize> =
                    (0..20).filter(|to| taken_along(reached[at], *to) && !reached.contains(to)).collect();
                reached.extend(more);
                at += 1;
            }
            prop_assert!(selected.iter().all(|node| reached.contains(node)));
        }
    }
}
