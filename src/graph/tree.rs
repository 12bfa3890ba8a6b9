//! The groups of a graph as a tree.

use super::Graph;

/// A group with its members, or the project itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree<'a> {
    /// The last part of its path; empty for the project itself.
    pub name: &'a str,
    /// The indices of the resources that are directly in it.
    pub nodes: Vec<usize>,
    /// The groups within it.
    pub groups: Vec<Tree<'a>>,
}

impl Graph {
    /// The project with its groups, in the order of their first resources.
    pub(super) fn tree(&self) -> Tree<'_> {
        let mut root = Tree::default();
        for node in 0..self.nodes.len() {
            let mut tree = &mut root;
            for name in self.group(node).into_iter().flat_map(|path| path.split('/')) {
                let known = tree.groups.iter().position(|group| group.name == name);
                let place = known.unwrap_or_else(|| {
                    tree.groups.push(Tree { name, ..Tree::default() });
                    tree.groups.len() - 1
                });
                tree = &mut tree.groups[place];
            }
            tree.nodes.push(node);
        }
        root
    }
}
