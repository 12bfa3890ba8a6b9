//! A graph as a self-contained SVG, without scripts, style sheets or embedded fonts.
//!
//! Its colors are readable on light and dark pages. It has no `style` element, because in a notebook
//! that would apply to the whole page.

use console::measure_text_width;

use super::Graph;
use super::layout::{BOX_HEIGHT, Kind, Layout, ROOT};

const MARGIN: f64 = 12.0;
/// The space inside a frame, to the left and right of its content.
const FRAME_SIDE: f64 = 16.0;
/// The space between two columns that have arrows between them.
const COLUMN_GAP: f64 = 64.0;
/// The space between two columns without arrows.
const NARROW_GAP: f64 = 24.0;
const TEXT_LEFT: f64 = 16.0;
const TEXT_RIGHT: f64 = 14.0;
const NARROWEST: f64 = 104.0;
const WIDEST: f64 = 230.0;
const NAME_SIZE: f64 = 13.0;
/// The width of bold letters relative to normal ones.
const BOLD: f64 = 1.1;
const KIND_SIZE: f64 = 10.5;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const GREY: &str = "#76839b";

/// The colors of the kinds, in order of appearance: edge, fill, text.
const COLORS: [(&str, &str, &str); 8] = [
    ("#3b82f6", "#eff6ff", "#1d4ed8"),
    ("#10b981", "#ecfdf5", "#047857"),
    ("#f59e0b", "#fffbeb", "#b45309"),
    ("#8b5cf6", "#f5f3ff", "#6d28d9"),
    ("#ec4899", "#fdf2f8", "#be185d"),
    ("#14b8a6", "#f0fdfa", "#0f766e"),
    ("#ef4444", "#fef2f2", "#b91c1c"),
    ("#64748b", "#f8fafc", "#334155"),
];

impl Graph {
    /// Draws the graph as an SVG. Arrows go from a resource to the resources that need it.
    pub fn svg(&self) -> String {
        let layout = Layout::of(self);
        let horizontal = Horizontal::of(self, &layout);
        let top = layout.items.iter().skip(1).map(|item| item.top).fold(f64::INFINITY, f64::min);
        let bottom = layout.items.iter().skip(1).map(super::layout::Item::bottom).fold(0.0, f64::max);
        let down = if top.is_finite() { MARGIN - top } else { MARGIN };
        let (width, height) = (horizontal.width.ceil(), (bottom + down + MARGIN).ceil());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Which resource needs which\" \
             font-family=\"{FONT}\" style=\"max-width:100%;height:auto\">\n"
        );
        for (frame, name) in &layout.frames {
            svg.push_str(&draw_frame(&layout, &horizontal, *frame, name, down));
        }
        for arrow in &layout.arrows {
            svg.push_str(&draw_arrow(&layout, &horizontal, arrow, down));
        }
        let mut kinds: Vec<&str> = Vec::new();
        for (node, item) in layout.boxes.iter().enumerate() {
            let kind = self.nodes[node].kind.as_str();
            let color = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            let (x, width) = horizontal.columns[layout.items[*item].columns.0];
            svg.push_str(&self.draw_box(
                node,
                (x, layout.items[*item].top + down, width),
                COLORS[color % COLORS.len()],
            ));
        }
        svg + "</svg>\n"
    }

    fn draw_box(
        &self,
        node: usize,
        (x, y, width): (f64, f64, f64),
        (edge, fill, dark): (&str, &str, &str),
    ) -> String {
        let address = &self.nodes[node];
        let room = width - TEXT_LEFT - TEXT_RIGHT;
        let text = x + TEXT_LEFT;
        format!(
            "<g><title>{} {}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"7\" fill=\"{fill}\" \
             stroke=\"{edge}\" stroke-width=\"1.2\"/>\
             <rect x=\"{}\" y=\"{}\" width=\"3\" height=\"{}\" rx=\"1.5\" fill=\"{edge}\"/>\
             <text x=\"{}\" y=\"{}\" font-size=\"{KIND_SIZE}\" fill=\"{dark}\">{}</text>\
             <text x=\"{}\" y=\"{}\" font-size=\"{NAME_SIZE}\" font-weight=\"600\" fill=\"#0f172a\">{}</text></g>\n",
            escape(&address.kind),
            escape(&address.name),
            number(x),
            number(y),
            number(width),
            number(BOX_HEIGHT),
            number(x + 6.0),
            number(y + 9.0),
            number(BOX_HEIGHT - 18.0),
            number(text),
            number(y + 18.5),
            escape(&fit(&address.kind, KIND_SIZE, room)),
            number(text),
            number(y + 35.0),
            escape(&fit(&address.name, BOLD * NAME_SIZE, room)),
        )
    }
}

/// The horizontal positions of columns and frames.
struct Horizontal {
    /// The left edge and the width of each column.
    columns: Vec<(f64, f64)>,
    /// For each item, the number of nested frames that share its left and right edge, itself included.
    nested: Vec<(u32, u32)>,
    width: f64,
}

impl Horizontal {
    fn of(graph: &Graph, layout: &Layout) -> Self {
        let mut nested = vec![(0, 0); layout.items.len()];
        let mut outside = vec![(0, 0); layout.column_count];
        // Inner frames come after the frames around them, so the reverse order visits them first.
        for (frame, _) in layout.frames.iter().rev() {
            let (first, last) = layout.items[*frame].columns;
            nested[*frame].0 += 1;
            nested[*frame].1 += 1;
            outside[first].0 = nested[*frame].0.max(outside[first].0);
            outside[last].1 = nested[*frame].1.max(outside[last].1);
            let parent = layout.items[*frame].parent;
            if parent != ROOT {
                let around = layout.items[parent].columns;
                if around.0 == first {
                    nested[parent].0 = nested[parent].0.max(nested[*frame].0);
                }
                if around.1 == last {
                    nested[parent].1 = nested[parent].1.max(nested[*frame].1);
                }
            }
        }
        let mut widths = vec![NARROWEST; layout.column_count];
        for (node, item) in layout.boxes.iter().enumerate() {
            let address = &graph.nodes[node];
            let text = measure(&address.name, BOLD * NAME_SIZE).max(measure(&address.kind, KIND_SIZE));
            let width = &mut widths[layout.items[*item].columns.0];
            *width = width.max(text + TEXT_LEFT + TEXT_RIGHT).min(WIDEST).ceil();
        }
        let mut gaps = vec![NARROW_GAP; layout.column_count];
        for segment in &layout.segments {
            gaps[layout.items[segment.from].columns.0] = COLUMN_GAP;
        }
        let (mut x, mut right) = (MARGIN, MARGIN);
        let mut columns = Vec::with_capacity(widths.len());
        for (column, width) in widths.into_iter().enumerate() {
            x += f64::from(outside[column].0) * FRAME_SIDE;
            columns.push((x, width));
            right = x + width + f64::from(outside[column].1) * FRAME_SIDE;
            x = right + gaps[column];
        }
        Self { columns, nested, width: right + MARGIN }
    }
}

fn draw_frame(layout: &Layout, horizontal: &Horizontal, frame: usize, name: &str, down: f64) -> String {
    let item = &layout.items[frame];
    let (left, right) = horizontal.nested[frame];
    let x = horizontal.columns[item.columns.0].0 - f64::from(left) * FRAME_SIDE;
    let (last, width) = horizontal.columns[item.columns.1];
    let width = last + width + f64::from(right) * FRAME_SIDE - x;
    format!(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"11\" fill=\"{GREY}\" \
         fill-opacity=\"0.08\" stroke=\"{GREY}\" stroke-opacity=\"0.55\"/>\
         <text x=\"{}\" y=\"{}\" font-size=\"12\" font-weight=\"600\" fill=\"{GREY}\">{}</text></g>\n",
        escape(name),
        number(x),
        number(item.top + down),
        number(width),
        number(item.height),
        number(x + FRAME_SIDE),
        number(item.top + down + 20.0),
        escape(&fit(name, BOLD * 12.0, width - 2.0 * FRAME_SIDE)),
    )
}

/// Draws a smooth line through the items of an arrow, and its head.
fn draw_arrow(layout: &Layout, horizontal: &Horizontal, arrow: &[usize], down: f64) -> String {
    let mut path = String::new();
    let mut at = (0.0, 0.0);
    for (place, item) in arrow.iter().enumerate() {
        let (x, width) = horizontal.columns[layout.items[*item].columns.0];
        let y = layout.items[*item].center() + down;
        if place == 0 {
            path.push_str(&format!("M{} {}", number(x + width), number(y)));
        } else {
            let is_bend = layout.items[*item].kind == Kind::Bend;
            // The line ends within the head, because the head's tip is narrower than the line.
            let end = if is_bend { x } else { x - 5.0 };
            let half = (end - at.0).abs().max(40.0) / 2.0;
            path.push_str(&format!(
                "C{} {} {} {} {} {}",
                number(at.0 + half),
                number(at.1),
                number(end - half),
                number(y),
                number(end),
                number(y)
            ));
            if is_bend {
                path.push_str(&format!("H{}", number(x + width)));
            } else {
                return format!(
                    "<path d=\"{path}\" fill=\"none\" stroke=\"{GREY}\" stroke-width=\"1.4\"/>\
                     <path d=\"M{x} {y}l-8 -4.2v8.4z\" fill=\"{GREY}\"/>\n",
                    x = number(x - 1.0),
                    y = number(y)
                );
            }
        }
        at = (x + width, y);
    }
    String::new()
}

/// Cuts a text to the available width.
fn fit(text: &str, size: f64, room: f64) -> String {
    let text: String = text.chars().map(visible).collect();
    if measure(&text, size) <= room {
        return text;
    }
    let room = room - measure("…", size);
    let mut kept = String::new();
    let mut width = 0.0;
    for c in text.chars() {
        width += measure(c.encode_utf8(&mut [0; 4]), size);
        if width > room {
            break;
        }
        kept.push(c);
    }
    kept.trim_end().to_owned() + "…"
}

/// Estimates the width of a text, since the font of the viewer is unknown.
fn measure(text: &str, size: f64) -> f64 {
    let wide = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '`' => 0.31,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '"' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' | '_' | '&' | '+' | '=' | '<' | '>' | '~' | '#' => 0.70,
        _ if c.is_ascii() => 0.60,
        // The terminal width tells wide characters (2 cells) from normal (1) and combining ones (0).
        _ => [0.0, 0.66, 1.05][measure_text_width(c.encode_utf8(&mut [0; 4])).min(2)],
    };
    text.chars().map(wide).sum::<f64>() * size
}

/// Replaces characters that XML does not allow or that are invisible.
fn visible(c: char) -> char {
    match c {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().map(visible) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Formats a number with at most one decimal.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
