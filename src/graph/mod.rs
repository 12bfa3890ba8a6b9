//! The dependency graph of the resources: order, selection, and output as Mermaid, DOT or SVG.

mod columns;
mod layout;
#[cfg(test)]
mod picture_tests;
mod relax;
mod select;
mod svg;
mod tree;
mod write;

use crate::error::{Error, Result};
use crate::resource::Address;

/// The resources of a project in order of definition, with their dependencies and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// The addresses of the resources.
    pub nodes: Vec<Address>,
    /// For each resource, the indices in `nodes` of the resources that it needs.
    pub needs: Vec<Vec<usize>>,
    /// For each resource, the path of its group, such as `webapp/storage`.
    pub groups: Vec<Option<String>>,
}

/// The output format of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum GraphFormat {
    /// Mermaid, which Markdown viewers draw
    #[default]
    Mermaid,
    /// DOT, the language of Graphviz
    Dot,
    /// SVG, a picture
    Svg,
}

impl Graph {
    /// The order of deployment: every resource after its needs, otherwise in order of definition.
    ///
    /// The error for a dependency cycle names the resources in it.
    pub fn order(&self) -> Result<Vec<usize>> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut mark = vec![Mark::New; self.nodes.len()];
        for node in 0..self.nodes.len() {
            self.visit(node, &mut mark, &mut order)?;
        }
        Ok(order)
    }

    /// Appends a node to the order, after its needs. Iterative, since a long chain would overflow the stack.
    fn visit(&self, start: usize, mark: &mut [Mark], order: &mut Vec<usize>) -> Result<()> {
        if mark[start] == Mark::Done {
            return Ok(());
        }
        mark[start] = Mark::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(&need) = self.needs.get(node).and_then(|needs| needs.get(*next)) else {
                mark[node] = Mark::Done;
                order.push(node);
                path.pop();
                continue;
            };
            *next += 1;
            match mark[need] {
                Mark::Done => {}
                Mark::New => {
                    mark[need] = Mark::Open;
                    path.push((need, 0));
                }
                Mark::Open => {
                    let cycle = path.iter().map(|(node, _)| *node).skip_while(|node| *node != need);
                    let mut cycle: Vec<String> = cycle.map(|node| self.nodes[node].to_string()).collect();
                    cycle.push(self.nodes[need].to_string());
                    return Err(Error::Cycle(cycle));
                }
            }
        }
        Ok(())
    }

    /// The indices of the resources that need a node.
    pub fn needed_by(&self, node: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&other| self.needs[other].contains(&node)).collect()
    }
}

/// The progress of the depth-first search at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(needs: &[&[usize]]) -> Graph {
        let nodes = (0..needs.len()).map(|i| Address { kind: "K".into(), name: i.to_string() }).collect();
        Graph { nodes, needs: needs.iter().map(|needs| needs.to_vec()).collect(), groups: Vec::new() }
    }

    #[test]
    fn everything_comes_after_what_it_needs() {
        assert_eq!(graph(&[&[], &[], &[]]).order().unwrap(), [0, 1, 2]);
        assert_eq!(graph(&[&[2], &[], &[]]).order().unwrap(), [2, 0, 1]);
        let diamond = graph(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(diamond.order().unwrap(), [3, 1, 2, 0]);
    }

    #[test]
    fn a_cycle_names_the_way_round() {
        let error = graph(&[&[1], &[2], &[3], &[1]]).order().unwrap_err().to_string();
        assert!(error.contains("K '1' → K '2' → K '3' → K '1'"), "{error}");
        assert!(graph(&[&[0]]).order().is_err());
    }

    #[test]
    fn a_long_chain_is_no_trouble() {
        let needs: Vec<Vec<usize>> =
            (0..50_000).map(|i| if i == 49_999 { vec![] } else { vec![i + 1] }).collect();
        let nodes = vec![Address { kind: "K".into(), name: "n".into() }; needs.len()];
        assert_eq!(Graph { nodes, needs, groups: Vec::new() }.order().unwrap()[0], 49_999);
    }

    proptest! {
        #[test]
        fn any_graph_without_a_cycle_has_an_order(edges in prop::collection::vec((0..30_usize, 0..30_usize), 0..80)) {
            let mut needs = vec![Vec::new(); 30];
            // Edges from higher to lower indices only, so that there is no cycle.
            for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
                needs[a.max(b)].push(a.min(b));
            }
            let nodes = (0..30).map(|i| Address { kind: "K".into(), name: i.to_string() }).collect();
            let order = Graph { nodes, needs: needs.clone(), groups: Vec::new() }.order().unwrap();
            let place = |node: usize| order.iter().position(|other| *other == node).unwrap();
            for (node, needs) in needs.iter().enumerate() {
                prop_assert!(needs.iter().all(|need| place(*need) < place(node)));
            }
            prop_assert_eq!(order.len(), 30);
        }
    }
}
