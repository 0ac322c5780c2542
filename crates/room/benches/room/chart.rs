//! The figures as curves: time over the size of the room, both in powers of ten.

use std::fmt::Write;

use crate::Row;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
/// Where the axes are: left, right, top, bottom.
const FRAME: (f64, f64, f64, f64) = (60.0, 520.0, 30.0, 410.0);
/// The lowest and the highest power of ten, µs.
const DECADES: (f64, f64) = (0.0, 4.3);
const COLOURS: [&str; 10] =
    ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];

/// A drawing of all rows; the median drawn through, the 99th percentile dashed.
pub(crate) fn svg(sizes: &[usize], rows: &[Row]) -> String {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let scale = Scale::of(sizes);
    axes(&mut text, &scale, sizes);
    for (n, row) in rows.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        for (dash, of) in [("none", 0), ("4 3", 1)] {
            let points = sizes.iter().zip(&row.figures).fold(String::new(), |mut points, (size, figure)| {
                let us = if of == 0 { figure.p50_us } else { figure.p99_us };
                let _ = write!(points, "{:.1},{:.1} ", scale.x(*size), scale.y(us));
                points
            });
            let _ = writeln!(
                text,
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dash}\"/>"
            );
        }
        let (x, y) = (FRAME.1 + 20.0, FRAME.2 + 22.0 * n as f64 + 10.0);
        let _ = writeln!(text, "<rect x=\"{x}\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>", y - 6.0);
        let _ = writeln!(text, "<text x=\"{}\" y=\"{y:.0}\">{}</text>", x + 20.0, row.name);
    }
    text.push_str("</svg>\n");
    text
}

fn axes(text: &mut String, scale: &Scale, sizes: &[usize]) {
    let (left, right, top, bottom) = FRAME;
    for (decade, label) in [(0, "1 µs"), (1, "10 µs"), (2, "100 µs"), (3, "1 ms"), (4, "10 ms")] {
        let y = scale.y(10_f64.powi(decade));
        let _ = writeln!(text, "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
        let _ = writeln!(text, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", left - 6.0, y + 4.0);
    }
    for size in sizes {
        let x = scale.x(*size);
        let _ = writeln!(text, "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>");
        let _ = writeln!(text, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{size}</text>", bottom + 18.0);
    }
    let middle = f64::midpoint(left, right);
    let _ =
        writeln!(text, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">peers of the room</text>", bottom + 38.0);
    let _ = writeln!(text, "<text x=\"{left}\" y=\"{}\">time: p50 drawn through, p99 dashed</text>", top - 12.0);
}

struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(sizes: &[usize]) -> Self {
        let logs = || sizes.iter().map(|size| (*size as f64).log10());
        Self { least: logs().fold(f64::INFINITY, f64::min) - 0.1, most: logs().fold(0.0, f64::max) + 0.1 }
    }

    fn x(&self, size: usize) -> f64 {
        let (left, right, ..) = FRAME;
        left + ((size as f64).log10() - self.least) / (self.most - self.least) * (right - left)
    }

    #[expect(clippy::unused_self, reason = "beside `x`")]
    fn y(&self, us: f64) -> f64 {
        let (.., top, bottom) = FRAME;
        let share = (us.max(1e-3).log10() - DECADES.0) / (DECADES.1 - DECADES.0);
        bottom - share.clamp(0.0, 1.0) * (bottom - top)
    }
}
