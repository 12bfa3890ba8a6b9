//! Tests of the picture: no overlaps, for any graph and any name.

use std::time::Instant;

use proptest::prelude::*;

use super::Graph;
use super::layout::{Kind, Layout};
use crate::resource::Address;

fn graph(names: &[&str], needs: &[&[usize]], groups: &[Option<&str>]) -> Graph {
    Graph {
        nodes: names.iter().map(|name| Address { kind: "Kind".into(), name: (*name).into() }).collect(),
        needs: needs.iter().map(|needs| needs.to_vec()).collect(),
        groups: groups.iter().map(|group| group.map(str::to_owned)).collect(),
    }
}

/// The visible texts, and the titles with the complete names.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text") || node.has_tag_name("title"));
    texts.filter_map(|node| node.text().map(str::to_owned)).collect()
}

#[test]
fn no_name_breaks_a_picture() {
    let name = "<script>&\"'\0\u{1b}\u{ffff}]]></script>";
    let shown = "<script>&\"'  \u{fffd}]]></script>";
    let svg = graph(&[name], &[&[]], &[Some(name)]).svg();
    let texts = texts(&svg);
    assert!(texts.contains(&format!("Kind {shown}")), "{texts:?}");
    // A "/" separates nested groups.
    assert!(texts.contains(&"script>".to_owned()), "{texts:?}");
    assert!(!svg.contains("<script"));
}

#[test]
fn a_long_name_is_cut_where_it_is_seen_and_whole_behind_it() {
    let name = "w".repeat(100);
    let texts =
        texts(&graph(&[&name, "日本語".repeat(40).as_str()], &[&[], &[]], &[None, Some(&name)]).svg());
    assert!(texts.contains(&format!("Kind {name}")));
    assert_eq!(
        texts.iter().filter(|text| text.ends_with('…') && text.chars().count() < 30).count(),
        3,
        "{texts:?}"
    );
}

#[test]
fn a_picture_tells_its_size_and_has_no_script_and_no_style_sheet() {
    let svg = graph(&["a", "b"], &[&[], &[0]], &[None, None]).svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    let size = [root.attribute("width").unwrap(), root.attribute("height").unwrap()];
    assert_eq!(root.attribute("viewBox").unwrap(), format!("0 0 {} {}", size[0], size[1]));
    assert!(document.descendants().all(|node| !node.has_tag_name("script") && !node.has_tag_name("style")));
    assert!(roxmltree::Document::parse(&Graph::default().svg()).is_ok());
}

#[test]
fn a_diamond_has_its_tip_in_the_middle() {
    let graph = graph(&["a", "b", "c", "d"], &[&[], &[0], &[0], &[1, 2]], &[None; 4]);
    let layout = Layout::of(&graph);
    let center = |node: usize| layout.items[layout.boxes[node]].center();
    assert_eq!(graph.columns(), [0, 1, 1, 2]);
    assert!((center(0) - f64::midpoint(center(1), center(2))).abs() < 0.5);
    assert!((center(3) - center(0)).abs() < 0.5);
}

#[test]
fn a_ladder_that_can_do_without_crossings_has_none() {
    // In the order of definition, every arrow would cross every other arrow.
    let needs: [&[usize]; 8] = [&[], &[], &[], &[], &[3], &[2], &[1], &[0]];
    let graph = graph(&["a", "b", "c", "d", "e", "f", "g", "h"], &needs, &[None; 8]);
    assert_eq!(Layout::of(&graph).cost().0, 0);
}

#[test]
fn resources_that_need_one_another_have_a_picture_too() {
    assert!(roxmltree::Document::parse(&graph(&["a", "b"], &[&[1], &[0]], &[None; 2]).svg()).is_ok());
    assert!(roxmltree::Document::parse(&graph(&["a"], &[&[0]], &[None]).svg()).is_ok());
}

#[test]
fn a_large_graph_is_drawn_while_somebody_waits() {
    let nodes = (0..600).map(|i| Address { kind: "K".into(), name: i.to_string() }).collect();
    let needs = (0..600_usize).map(|i| if i < 40 { vec![] } else { vec![i - 40, i - 1 - i % 39] }).collect();
    let groups = (0..600).map(|i| (i % 3 == 0).then(|| format!("g{}/h{}", i % 4, i % 8))).collect();
    let began = Instant::now();
    assert!(Graph { nodes, needs, groups }.svg().len() > 10_000);
    // A chain in which every resource also needs the first one.
    let nodes = (0..400).map(|i| Address { kind: "K".into(), name: i.to_string() }).collect();
    let needs = (0..400_usize).map(|i| if i == 0 { vec![] } else { vec![0, i - 1] }).collect();
    assert!(Graph { nodes, needs, groups: vec![Some("g".to_owned()); 400] }.svg().len() > 10_000);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_lies_on_top_of_anything_else(
        edges in prop::collection::vec((0..18_usize, 0..18_usize), 0..40),
        groups in prop::collection::vec(prop::sample::select(vec!["", "a", "a/b", "a/c", "a/b/d", "e"]), 18),
    ) {
        let mut graph = Graph {
            nodes: (0..18).map(|i| Address { kind: "K".into(), name: i.to_string() }).collect(),
            needs: vec![Vec::new(); 18],
            groups: groups.iter().map(|group| (!group.is_empty()).then(|| (*group).to_owned())).collect(),
        };
        for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
            graph.needs[a.max(b)].push(a.min(b));
        }
        prop_assert_eq!(graph.svg(), graph.svg());
        prop_assert!(roxmltree::Document::parse(&graph.svg()).is_ok());
        let columns = graph.columns();
        for (node, needs) in graph.needs.iter().enumerate() {
            prop_assert!(needs.iter().all(|need| columns[*need] < columns[node]), "an arrow goes to the left");
        }
        let Layout { items, .. } = Layout::of(&graph);
        for (place, item) in items.iter().enumerate().skip(1) {
            let frame = &items[item.parent];
            prop_assert!(
                item.parent == 0 || (frame.top < item.top && item.bottom() < frame.bottom()
                    && frame.columns.0 <= item.columns.0 && item.columns.1 <= frame.columns.1),
                "it sticks out of its frame"
            );
            for other in items.iter().skip(place + 1).filter(|other| other.parent == item.parent) {
                let beside = item.columns.1 < other.columns.0 || other.columns.1 < item.columns.0;
                let apart = item.bottom() < other.top || other.bottom() < item.top;
                prop_assert!(beside || apart, "{item:?} and {other:?}");
            }
        }
        let boxes = items.iter().filter(|item| item.kind == Kind::Box).count();
        prop_assert_eq!(boxes, 18);
    }
}
