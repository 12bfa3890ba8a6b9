//! Straightens arrows: moves boxes and bends up and down within the space between their neighbors.

use super::layout::{FRAME_BOTTOM, FRAME_TOP, Item, Kind, Layout, ROOT, add};

/// The largest climb of an arrow that is made horizontal.
const NEARLY_LEVEL: f64 = 16.0;

/// For each item, the items next to it, above or below.
type Neighbors = Vec<Vec<usize>>;

impl Layout<'_> {
    /// Moves every item towards the mean height of the items that it is connected to. The order stays.
    pub(super) fn relax(&mut self) {
        let (above, below) = self.neighbors();
        let mut runs = vec![None; self.items.len()];
        for (run, arrow) in self.arrows.iter().enumerate() {
            arrow[1..arrow.len() - 1].iter().for_each(|bend| runs[*bend] = Some(run));
        }
        let mut joined = vec![Vec::new(); self.items.len()];
        for segment in &self.segments {
            joined[segment.from].push(segment.to);
            joined[segment.to].push(segment.from);
        }
        let mut leaves: Vec<usize> =
            (1..self.items.len()).filter(|item| self.items[*item].kind != Kind::Frame).collect();
        let rounds = if leaves.len() > 1000 { 6 } else { 24 };
        for round in 0..rounds {
            leaves.sort_by(|one, other| self.items[*one].top.total_cmp(&self.items[*other].top));
            // Downwards, the lowest item first, so that it makes room for the items above it; then upwards.
            for &leaf in leaves.iter().rev() {
                if let Some(wish) = self.wish(leaf, runs[leaf], &joined[leaf], round) {
                    let limit = self.limit(leaf, &below, 1.0);
                    self.move_to(leaf, wish.min(limit).max(self.items[leaf].top));
                }
            }
            leaves.sort_by(|one, other| self.items[*one].top.total_cmp(&self.items[*other].top));
            for &leaf in &leaves {
                if let Some(wish) = self.wish(leaf, runs[leaf], &joined[leaf], round) {
                    let limit = self.limit(leaf, &above, -1.0);
                    self.move_to(leaf, wish.max(limit).min(self.items[leaf].top));
                }
            }
        }
        self.level(&mut leaves, &joined, (&above, &below));
    }

    /// The items directly above and directly below each item, in any of its columns.
    fn neighbors(&self) -> (Neighbors, Neighbors) {
        let mut above = vec![Vec::new(); self.items.len()];
        let mut below = vec![Vec::new(); self.items.len()];
        for frame in &self.items {
            let mut lowest: Vec<Option<usize>> = vec![None; self.column_count];
            for &child in &frame.children {
                let (first, last) = self.items[child].columns;
                for lowest in lowest.iter_mut().take(last + 1).skip(first) {
                    if let Some(upper) = lowest.replace(child)
                        && !above[child].contains(&upper)
                    {
                        above[child].push(upper);
                        below[upper].push(child);
                    }
                }
            }
        }
        (above, below)
    }

    /// The top that would straighten the arrows of an item. `run` is the arrow that a bend belongs to.
    fn wish(&self, item: usize, run: Option<usize>, joined: &[usize], round: usize) -> Option<f64> {
        let column = self.items[item].columns.0;
        let left = joined.iter().filter(|other| self.items[**other].columns.0 < column);
        let wanted: Vec<usize> = match run {
            // All bends of an arrow get the same height, so that it is straight.
            Some(run) => self.arrows[run].clone(),
            // The first round looks to the left only, so that users line up with their needs.
            None if round == 0 && left.clone().count() > 0 => left.copied().collect(),
            None => joined.to_vec(),
        };
        let mut sum = (0.0, 0.0);
        for other in wanted {
            add(&mut sum, self.items[other].center());
        }
        (sum.1 > 0.0).then(|| sum.0 / sum.1 - self.items[item].height / 2.0)
    }

    /// Makes nearly horizontal arrows horizontal: from left to right, and then from right to left for items
    /// without arrows from the left.
    fn level(
        &mut self,
        leaves: &mut [usize],
        joined: &[Vec<usize>],
        (above, below): (&Neighbors, &Neighbors),
    ) {
        leaves.sort_by_key(|leaf| self.items[*leaf].columns.0);
        for rightwards in [true, false] {
            for place in 0..leaves.len() {
                let leaf = leaves[if rightwards { place } else { leaves.len() - 1 - place }];
                let column = self.items[leaf].columns.0;
                let (left, right): (Vec<usize>, Vec<usize>) =
                    joined[leaf].iter().partition(|other| self.items[**other].columns.0 < column);
                if !rightwards && !left.is_empty() {
                    continue;
                }
                let center = self.items[leaf].center();
                let climbs = if rightwards { left } else { right };
                let climbs = climbs.iter().map(|other| self.items[*other].center() - center);
                let least = climbs.min_by(|one, other| one.abs().total_cmp(&other.abs()));
                if let Some(climb) = least.filter(|climb| climb.abs() < NEARLY_LEVEL) {
                    let wish = self.items[leaf].top + climb;
                    let (highest, lowest) = (self.limit(leaf, above, -1.0), self.limit(leaf, below, 1.0));
                    self.move_to(leaf, wish.min(lowest).max(highest));
                }
            }
        }
    }

    /// The lowest top that an item can have, or with a `sign` of -1 the highest.
    fn limit(&self, item: usize, neighbors: &Neighbors, sign: f64) -> f64 {
        let mut limit = sign * f64::INFINITY;
        let (mut at, mut margin) = (item, 0.0);
        loop {
            for &other in &neighbors[at] {
                let room = self.gap(at, other) + margin;
                limit = if sign > 0.0 {
                    limit.min(self.items[other].top - room - self.items[item].height)
                } else {
                    limit.max(self.items[other].bottom() + room)
                };
            }
            at = self.items[at].parent;
            if at == ROOT {
                return limit;
            }
            margin += if sign > 0.0 { FRAME_BOTTOM } else { FRAME_TOP };
        }
    }

    /// Moves an item, and resizes the frames around it.
    fn move_to(&mut self, item: usize, top: f64) {
        let (before, height) = (self.items[item].top, self.items[item].height);
        self.items[item].top = top;
        let mut frame = self.items[item].parent;
        let inside = |top: f64, frame: &Item| {
            top > frame.top + FRAME_TOP + 0.01 && top + height < frame.bottom() - FRAME_BOTTOM - 0.01
        };
        // Most moves happen between other items and do not change the size of the frame.
        if frame != ROOT && inside(before, &self.items[frame]) && inside(top, &self.items[frame]) {
            return;
        }
        while frame != ROOT {
            let children = self.items[frame].children.iter().map(|child| &self.items[*child]);
            let (top, bottom) = children.fold((f64::INFINITY, f64::NEG_INFINITY), |(top, bottom), child| {
                (child.top.min(top), child.bottom().max(bottom))
            });
            self.items[frame].top = top - FRAME_TOP;
            self.items[frame].height = bottom - top + FRAME_TOP + FRAME_BOTTOM;
            frame = self.items[frame].parent;
        }
    }
}
