//! The column of each resource in the picture: to the right of everything that it needs.

use super::Graph;
use super::tree::Tree;

impl Graph {
    /// The column of each resource, from the left.
    pub(super) fn columns(&self) -> Vec<usize> {
        let count = self.nodes.len();
        // A graph with a cycle has no order. It is drawn in the order of definition.
        let order = self.order().unwrap_or_else(|_| (0..count).collect());
        let mut users = vec![Vec::new(); count];
        let mut columns = vec![0_usize; count];
        let mut placed = vec![false; count];
        for &node in &order {
            for &need in &self.needs[node] {
                users[need].push(node);
                if placed[need] {
                    columns[node] = columns[node].max(columns[need] + 1);
                }
            }
            placed[node] = true;
        }
        // A resource with more users than needs moves right, next to its first user: that shortens its arrows.
        for &node in order.iter().rev() {
            if let Some(first) = users[node].iter().map(|user| columns[*user]).min()
                && self.needs[node].len() < users[node].len()
            {
                columns[node] = columns[node].max(first.saturating_sub(1));
            }
        }
        let alone: Vec<bool> =
            (0..count).map(|node| self.needs[node].is_empty() && users[node].is_empty()).collect();
        spread(&self.tree(), &alone, &mut columns);
        columns
    }
}

/// Spreads the resources of a group that have no arrow over several columns, because a long list in one
/// column makes a tall and narrow picture. Returns the first and the last column of the group.
fn spread(tree: &Tree, alone: &[bool], columns: &mut [usize]) -> Option<(usize, usize)> {
    let mut range: Option<(usize, usize)> = None;
    let mut widen = |(first, last): (usize, usize)| {
        range = Some(range.map_or((first, last), |range| (range.0.min(first), range.1.max(last))));
    };
    for group in &tree.groups {
        spread(group, alone, columns).into_iter().for_each(&mut widen);
    }
    let (lonely, joined): (Vec<usize>, Vec<usize>) = tree.nodes.iter().partition(|node| alone[**node]);
    for node in joined {
        widen((columns[node], columns[node]));
    }
    if !lonely.is_empty() {
        // A box with its gaps is about three times as wide as high, and a picture should be wider than high.
        let about_square =
            (1..lonely.len()).find(|wide| 10 * (2 * wide + 1).pow(2) > 28 * lonely.len()).unwrap_or(1);
        let (first, last) = range.unwrap_or((0, 0));
        let wide = about_square.max(last - first + 1).min(lonely.len());
        for (place, node) in lonely.iter().enumerate() {
            columns[*node] = first + place % wide;
        }
        let last = last.max(first + wide - 1);
        range = Some((first, last));
    }
    range
}
