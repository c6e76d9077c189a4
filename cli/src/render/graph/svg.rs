//! The picture itself: a column for each phase, a box for each resource, a curve for each edge.

use std::collections::BTreeMap;
use std::fmt::Write;

use matih_model::Address;

use super::Picture;

/// All lengths in pixels.
const BOX: (usize, usize) = (220, 34);
const GAP: (usize, usize) = (90, 10);
const MARGIN: usize = 24;
const HEAD: usize = 56;

/// One colour a phase, light enough for black text.
const FILLS: [&str; 9] = [
    "#eef2ff", "#e0f2fe", "#dcfce7", "#fef9c3", "#ffedd5", "#fee2e2", "#fae8ff", "#e2e8f0",
    "#ecfccb",
];

/// As a picture that stands alone.
pub(crate) fn svg(picture: &Picture<'_>) -> String {
    let tallest = picture
        .columns
        .iter()
        .map(|(_, it)| it.len())
        .max()
        .unwrap_or(0);
    let width = MARGIN * 2 + picture.columns.len() * (BOX.0 + GAP.0)
        - GAP.0.min(picture.columns.len() * GAP.0);
    let height = MARGIN + HEAD + tallest * (BOX.1 + GAP.1) + MARGIN;
    let places = places(picture, tallest);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-sans-serif, system-ui, sans-serif\" font-size=\"11\">\n\
         <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escape(&picture.title)
    );
    for (index, (phase, addresses)) in picture.columns.iter().enumerate() {
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" font-size=\"13\" font-weight=\"600\">{}</text>\n\
             <text x=\"{}\" y=\"{}\" fill=\"#64748b\">{} resources</text>",
            left(index),
            MARGIN + 14,
            escape(&phase.to_string()),
            left(index),
            MARGIN + 30,
            addresses.len()
        );
    }
    for (needed, waiting) in &picture.edges {
        if let (Some(from), Some(to)) = (places.get(needed), places.get(waiting)) {
            edge(&mut text, *from, *to);
        }
    }
    for (phase, addresses) in &picture.columns {
        let fill = FILLS.get(usize::from(phase.number())).unwrap_or(&FILLS[0]);
        for address in addresses {
            if let Some(place) = places.get(address) {
                node(&mut text, *place, fill, address);
            }
        }
    }
    text + "</svg>\n"
}

fn left(column: usize) -> usize {
    MARGIN + column * (BOX.0 + GAP.0)
}

/// The upper left corner of each box; shorter columns stand in the middle.
fn places<'a>(picture: &Picture<'a>, tallest: usize) -> BTreeMap<&'a Address, (usize, usize)> {
    let mut places = BTreeMap::new();
    for (column, (_, addresses)) in picture.columns.iter().enumerate() {
        let above = (tallest - addresses.len()) * (BOX.1 + GAP.1) / 2;
        for (row, address) in addresses.iter().enumerate() {
            let top = MARGIN + HEAD + above + row * (BOX.1 + GAP.1);
            places.insert(*address, (left(column), top));
        }
    }
    places
}

fn edge(text: &mut String, from: (usize, usize), to: (usize, usize)) {
    let half = BOX.1 / 2;
    let (start, end) = ((from.0 + BOX.0, from.1 + half), (to.0, to.1 + half));
    let bend = GAP.0 / 2;
    let path = if from.0 == to.0 {
        // Within a column the curve leaves and comes back on the right.
        format!(
            "M{},{} C{},{} {},{} {},{}",
            start.0,
            start.1,
            start.0 + bend,
            start.1,
            start.0 + bend,
            end.1,
            start.0,
            end.1
        )
    } else {
        format!(
            "M{},{} C{},{} {},{} {},{}",
            start.0,
            start.1,
            start.0 + bend,
            start.1,
            end.0.saturating_sub(bend),
            end.1,
            end.0,
            end.1
        )
    };
    let _ = writeln!(
        text,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#94a3b8\" stroke-opacity=\"0.45\"/>"
    );
}

fn node(text: &mut String, (x, y): (usize, usize), fill: &str, address: &Address) {
    let _ = writeln!(
        text,
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"5\" \
         fill=\"{fill}\" stroke=\"#64748b\"/>\
         <text x=\"{}\" y=\"{}\" font-weight=\"600\">{}</text>\
         <text x=\"{}\" y=\"{}\" fill=\"#475569\" font-size=\"10\">{}</text></g>",
        escape(&address.to_string()),
        BOX.0,
        BOX.1,
        x + 8,
        y + 14,
        escape(&shortened(address.name.as_str())),
        x + 8,
        y + 27,
        escape(address.kind.as_str()),
    );
}

/// As much of a name as a box has room for.
fn shortened(name: &str) -> String {
    const MOST: usize = 34;
    if name.len() <= MOST {
        name.to_owned()
    } else {
        format!("{}…", name.get(..MOST - 1).unwrap_or(name))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::graph;
    use super::*;

    #[test]
    fn every_resource_is_a_box_and_every_edge_a_curve() {
        let graph = graph();
        let text = svg(&Picture::new(&graph, None));
        assert_eq!(text.matches("<g>").count(), 3);
        assert_eq!(text.matches("<path").count(), 2);
        assert!(text.contains("<title>acme/kubernetes.manifest/quota</title>"));
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }
}
