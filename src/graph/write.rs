//! A graph as text: Mermaid and DOT.

use super::tree::Tree;
use super::{Graph, GraphFormat};

impl Graph {
    /// Writes the graph. Arrows go from a resource to the resources that need it.
    pub fn write(&self, format: GraphFormat) -> String {
        let (text, arrow, foot) = match format {
            GraphFormat::Mermaid => ("flowchart LR\n", "-->", ""),
            GraphFormat::Dot => ("digraph {\n    rankdir=LR\n    node [shape=box]\n", "->", "}\n"),
            GraphFormat::Svg => return self.svg(),
        };
        let mut text = text.to_owned();
        self.write_group(&self.tree(), 1, &mut 0, format, &mut text);
        for (index, needs) in self.needs.iter().enumerate() {
            for need in needs {
                text.push_str(&format!("    n{need} {arrow} n{index}\n"));
            }
        }
        text + foot
    }

    /// Writes the members of a group, or of the project itself. `count` numbers the groups.
    fn write_group(
        &self,
        tree: &Tree,
        depth: usize,
        count: &mut usize,
        format: GraphFormat,
        text: &mut String,
    ) {
        let margin = "    ".repeat(depth);
        for node in &tree.nodes {
            let address = &self.nodes[*node];
            let label = label(&format!("{} {}", address.kind, address.name), format);
            text.push_str(&match format {
                GraphFormat::Dot => format!("{margin}n{node} [label=\"{label}\"]\n"),
                _ => format!("{margin}n{node}[\"{label}\"]\n"),
            });
        }
        for group in &tree.groups {
            let label = label(group.name, format);
            text.push_str(&match format {
                GraphFormat::Dot => {
                    format!("{margin}subgraph cluster_{count} {{\n{margin}    label=\"{label}\"\n")
                }
                _ => format!("{margin}subgraph g{count}[\"{label}\"]\n"),
            });
            *count += 1;
            self.write_group(group, depth + 1, count, format, text);
            text.push_str(&margin);
            text.push_str(if format == GraphFormat::Dot { "}\n" } else { "end\n" });
        }
    }
}

/// The label of a box or a group, escaped for its format.
fn label(text: &str, format: GraphFormat) -> String {
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if format == GraphFormat::Dot {
        return text.collect::<String>().replace('\\', "\\\\").replace('"', "\\\"");
    }
    // Mermaid has no escapes of its own, but supports HTML entities.
    text.map(|c| {
        if c.is_alphanumeric() || " -_./:".contains(c) {
            c.to_string()
        } else {
            format!("#{};", u32::from(c))
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Address;

    fn texts(nodes: &[(&str, Option<&str>)], needs: &[&[usize]]) -> String {
        let graph = Graph {
            nodes: nodes.iter().map(|(name, _)| Address { kind: "K".into(), name: (*name).into() }).collect(),
            needs: needs.iter().map(|needs| needs.to_vec()).collect(),
            groups: nodes.iter().map(|(_, group)| group.map(str::to_owned)).collect(),
        };
        graph.write(GraphFormat::Mermaid) + &graph.write(GraphFormat::Dot)
    }

    #[test]
    fn no_name_breaks_a_text() {
        let name = "a\"]\n; --> \\ <b>";
        insta::assert_snapshot!(texts(&[(name, Some(name))], &[&[]]));
    }

    #[test]
    fn groups_are_drawn_around_what_is_in_them() {
        insta::assert_snapshot!(texts(
            &[
                ("base", None),
                ("db", Some("webapp/storage")),
                ("web", Some("webapp")),
                ("disk", Some("webapp/storage/disks")),
                ("log", Some("tools")),
            ],
            &[&[], &[0, 3], &[1], &[], &[2]],
        ));
    }
}
