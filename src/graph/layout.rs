//! The layout of the picture: boxes in columns, groups as frames around them, and arrows that avoid
//! the boxes and frames that they do not belong to.
//!
//! The layout orders a tree of items: boxes, frames, and one bend for each column that an arrow crosses.
//! An item has its columns to itself at its height, so items of one frame never overlap.
//! docs/decisions/0007-own-graph-layout.md says why this is not a library.

use super::Graph;
use super::tree::Tree;

pub(super) const ROOT: usize = 0;
pub(super) const BOX_HEIGHT: f64 = 46.0;
const BEND_HEIGHT: f64 = 4.0;
/// The largest number of items for which arrows get bends. In a larger picture, which nobody can read,
/// the remaining arrows are straight and may run behind boxes.
const MAX_ITEMS: usize = 5000;
/// The space inside a frame, above its content (for the title) and below it.
pub(super) const FRAME_TOP: f64 = 32.0;
pub(super) const FRAME_BOTTOM: f64 = 14.0;

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The box of a resource.
    Box,
    /// The part of an arrow that crosses a column.
    Bend,
    /// The frame of a group, or the whole picture.
    Frame,
}

/// A part of the picture that has a position.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub kind: Kind,
    pub parent: usize,
    pub children: Vec<usize>,
    /// The first and the last column that it covers.
    pub columns: (usize, usize),
    pub top: f64,
    pub height: f64,
}

impl Item {
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(super) fn center(&self) -> f64 {
        self.top + self.height / 2.0
    }
}

/// The part of an arrow between two columns.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub from: usize,
    pub to: usize,
    /// The item `from` and the frames around it that are not around `to`.
    from_chain: Vec<usize>,
    to_chain: Vec<usize>,
}

/// All items, and the arrows between them.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub items: Vec<Item>,
    /// The box of each resource, in the order of `Graph::nodes`.
    pub boxes: Vec<usize>,
    /// The frames and their titles, outer frames first.
    pub frames: Vec<(usize, &'a str)>,
    /// For each arrow, its items: the first box, the bends, the last box.
    pub arrows: Vec<Vec<usize>>,
    pub segments: Vec<Segment>,
    pub column_count: usize,
}

impl<'a> Layout<'a> {
    /// Lays out a graph.
    pub(super) fn of(graph: &'a Graph) -> Self {
        let columns = graph.columns();
        let mut layout = Self {
            items: vec![Item::new(Kind::Frame, ROOT, 0)],
            boxes: vec![ROOT; graph.nodes.len()],
            frames: Vec::new(),
            arrows: Vec::new(),
            segments: Vec::new(),
            column_count: columns.iter().max().map_or(0, |last| last + 1),
        };
        layout.add(&graph.tree(), ROOT, &columns);
        for (node, needs) in graph.needs.iter().enumerate() {
            for need in needs {
                layout.add_arrow(layout.boxes[*need], layout.boxes[node]);
            }
        }
        layout.arrange();
        layout.relax();
        layout
    }

    fn push(&mut self, kind: Kind, parent: usize, column: usize) -> usize {
        self.items.push(Item::new(kind, parent, column));
        let item = self.items.len() - 1;
        self.items[parent].children.push(item);
        item
    }

    /// Adds the members of a group, and finds the columns that it covers.
    fn add(&mut self, tree: &Tree<'a>, frame: usize, columns: &[usize]) {
        for &node in &tree.nodes {
            self.boxes[node] = self.push(Kind::Box, frame, columns[node]);
        }
        for group in &tree.groups {
            let inner = self.push(Kind::Frame, frame, 0);
            self.frames.push((inner, group.name));
            self.add(group, inner, columns);
        }
        let children = self.items[frame].children.iter().map(|child| self.items[*child].columns);
        if let Some(range) = children.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))) {
            self.items[frame].columns = range;
        }
    }

    /// Adds an arrow, with a bend in every column that it crosses.
    fn add_arrow(&mut self, from: usize, to: usize) {
        let mut through = vec![from];
        let crossed = self.items[from].columns.0 + 1..self.items[to].columns.0;
        for column in crossed.take(MAX_ITEMS.saturating_sub(self.items.len())) {
            let frame = self.frame_of_bend(from, to, column);
            through.push(self.push(Kind::Bend, frame, column));
        }
        through.push(to);
        for pair in through.windows(2) {
            let (mut from_chain, mut to_chain) = (self.chain(pair[0]), self.chain(pair[1]));
            while from_chain.last().is_some_and(|last| to_chain.last() == Some(last)) {
                from_chain.pop();
                to_chain.pop();
            }
            self.segments.push(Segment { from: pair[0], to: pair[1], from_chain, to_chain });
        }
        self.arrows.push(through);
    }

    /// An item and the frames around it, the innermost first.
    fn chain(&self, item: usize) -> Vec<usize> {
        let mut chain = vec![item];
        let mut at = item;
        while at != ROOT {
            at = self.items[at].parent;
            chain.push(at);
        }
        chain
    }

    /// The frame in which an arrow crosses a column. If possible an arrow leaves a group through its right
    /// side and enters one through its left side, and not through the title above.
    fn frame_of_bend(&self, from: usize, to: usize, column: usize) -> usize {
        let covers = |frame: &usize| {
            let (first, last) = self.items[*frame].columns;
            *frame == ROOT || (first <= column && column <= last)
        };
        let around = |item: usize| self.chain(item).into_iter().skip(1).find(covers).unwrap_or(ROOT);
        let (left, right) = (around(from), around(to));
        if self.chain(to).contains(&left) { right } else { left }
    }

    /// Finds an order in every frame in which few arrows cross.
    fn arrange(&mut self) {
        self.stack();
        let mut best = (self.cost(), self.orders());
        let rounds = if self.segments.len() > 4000 { 8 } else { 40 };
        for round in 0..rounds {
            self.sort(round);
            self.stack();
            let cost = self.cost();
            if cost < best.0 {
                best = (cost, self.orders());
            }
        }
        self.set_orders(&best.1);
        self.swap_neighbors(best.0);
        self.stack();
    }

    fn orders(&self) -> Vec<Vec<usize>> {
        self.items.iter().map(|item| item.children.clone()).collect()
    }

    fn set_orders(&mut self, orders: &[Vec<usize>]) {
        for (item, order) in self.items.iter_mut().zip(orders) {
            item.children.clone_from(order);
        }
    }

    /// Sorts every frame by the mean height of the items that its items are connected to (barycenters).
    /// Rounds alternate between the items to the left, to the right, and both.
    fn sort(&mut self, round: usize) {
        let mut sums = vec![(0.0, 0.0); self.items.len()];
        for segment in &self.segments {
            let (from, to) = (self.items[segment.from].center(), self.items[segment.to].center());
            if round % 3 != 1 {
                segment.to_chain.iter().for_each(|item| add(&mut sums[*item], from));
            }
            if !round.is_multiple_of(3) {
                segment.from_chain.iter().for_each(|item| add(&mut sums[*item], to));
            }
        }
        let keys: Vec<f64> = (0..self.items.len())
            .map(|item| {
                let (sum, count) = sums[item];
                if count > 0.0 { sum / count } else { self.items[item].center() }
            })
            .collect();
        for item in &mut self.items {
            item.children.sort_by(|one, other| keys[*one].total_cmp(&keys[*other]));
        }
    }

    /// Swaps neighbors while that lowers the cost. Skipped for large graphs: slow, and of little use there.
    fn swap_neighbors(&mut self, mut cost: (usize, f64)) {
        if self.segments.len() * self.items.len() > 60_000 {
            return;
        }
        for _ in 0..4 {
            let before = cost;
            for frame in 0..self.items.len() {
                for place in 1..self.items[frame].children.len() {
                    self.items[frame].children.swap(place - 1, place);
                    self.stack();
                    let swapped = self.cost();
                    if swapped < cost {
                        cost = swapped;
                    } else {
                        self.items[frame].children.swap(place - 1, place);
                    }
                }
            }
            if cost >= before {
                break;
            }
        }
    }

    /// The number of crossings, and the total height that arrows climb or descend.
    pub(super) fn cost(&self) -> (usize, f64) {
        let mut between = vec![Vec::new(); self.column_count];
        let mut climb = 0.0;
        for segment in &self.segments {
            let (from, to) = (&self.items[segment.from], &self.items[segment.to]);
            between[from.columns.0].push((from.center(), to.center()));
            climb += (from.center() - to.center()).abs();
        }
        let mut crossings = 0;
        for segments in &mut between {
            segments.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
            let mut ends: Vec<f64> = Vec::with_capacity(segments.len());
            for (_, end) in segments {
                let place = ends.partition_point(|other| *other <= *end);
                crossings += ends.len() - place;
                ends.insert(place, *end);
            }
        }
        (crossings, climb)
    }

    /// Stacks the items of every frame, each as high as its columns allow.
    fn stack(&mut self) {
        self.stack_in(ROOT);
        self.settle(ROOT, 0.0);
    }

    fn stack_in(&mut self, frame: usize) {
        let mut lowest: Vec<Option<usize>> = vec![None; self.column_count];
        let mut bottom: f64 = 0.0;
        for child in self.items[frame].children.clone() {
            if self.items[child].kind == Kind::Frame {
                self.stack_in(child);
            }
            let (first, last) = self.items[child].columns;
            let tops = lowest.iter().take(last + 1).skip(first).flatten();
            let top =
                tops.map(|above| self.items[*above].bottom() + self.gap(*above, child)).fold(0.0, f64::max);
            self.items[child].top = top;
            lowest.iter_mut().take(last + 1).skip(first).for_each(|lowest| *lowest = Some(child));
            bottom = bottom.max(self.items[child].bottom());
        }
        if frame != ROOT {
            self.items[frame].height = FRAME_TOP + bottom + FRAME_BOTTOM;
        }
    }

    /// Converts y within a frame to y within the picture.
    fn settle(&mut self, frame: usize, top: f64) {
        for child in self.items[frame].children.clone() {
            self.items[child].top += top;
            if self.items[child].kind == Kind::Frame {
                self.settle(child, self.items[child].top + FRAME_TOP);
            }
        }
    }

    /// The smallest vertical distance between two items.
    pub(super) fn gap(&self, one: usize, other: usize) -> f64 {
        match (self.items[one].kind, self.items[other].kind) {
            (Kind::Bend, Kind::Bend) => 10.0,
            (Kind::Bend, _) | (_, Kind::Bend) => 14.0,
            _ => 20.0,
        }
    }
}

impl Item {
    fn new(kind: Kind, parent: usize, column: usize) -> Self {
        let height = match kind {
            Kind::Box => BOX_HEIGHT,
            Kind::Bend => BEND_HEIGHT,
            Kind::Frame => 0.0,
        };
        Self { kind, parent, children: Vec::new(), columns: (column, column), top: 0.0, height }
    }
}

/// Adds a value to a sum and its count.
pub(super) fn add((sum, count): &mut (f64, f64), value: f64) {
    *sum += value;
    *count += 1.0;
}
