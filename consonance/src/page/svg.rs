//! The little of SVG and HTML that reports need. Numbers are written with one decimal, so that they are the same everywhere.

use std::fmt::Write;

/// Text made safe for the inside of elements and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A drawing under way.
pub(crate) struct Svg {
    body: String,
    width: f64,
}

impl Svg {
    pub(crate) fn new(width: f64) -> Self {
        Self { body: String::new(), width }
    }

    /// A filled rectangle at least half a pixel wide, with a tooltip unless `tip` is empty.
    pub(crate) fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], tip: &str) {
        let width = width.max(0.5);
        let _ =
            write!(self.body, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
        self.close("rect", tip);
    }

    pub(crate) fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4], tip: &str) {
        let _ = write!(self.body, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}""#);
        self.close("line", tip);
    }

    /// A text; `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(&mut self, class: &str, anchor: &str, [x, y]: [f64; 2], text: &str) {
        let text = escape(text);
        let _ =
            writeln!(self.body, r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
    }

    /// A shape of straight lines through these points.
    pub(crate) fn path(&mut self, class: &str, points: &[[f64; 2]], closed: bool, tip: &str) {
        let mut d = String::new();
        for (number, [x, y]) in points.iter().enumerate() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
        }
        let end = if closed { "Z" } else { "" };
        let _ = write!(self.body, r#"<path class="{class}" d="{d}{end}""#);
        self.close("path", tip);
    }

    /// Many dots as one shape; their size is the style's width of lines.
    pub(crate) fn dots(&mut self, class: &str, places: &[[f64; 2]]) {
        let d: String = places.iter().map(|[x, y]| format!("M{x:.1} {y:.1}h0")).collect();
        let _ = writeln!(self.body, r#"<path class="{class}" d="{d}"/>"#);
    }

    /// The drawing as an element, `height` high, with words for those who don't see it.
    pub(crate) fn finish(self, height: f64, label: &str) -> String {
        let Self { body, width } = self;
        let label = escape(label);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{label}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n{body}</svg>\n"
        )
    }

    fn close(&mut self, element: &str, tip: &str) {
        let _ = if tip.is_empty() {
            writeln!(self.body, "/>")
        } else {
            writeln!(self.body, "><title>{}</title></{element}>", escape(tip))
        };
    }
}

/// Turns time into a place from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeAxis {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) end: u64,
}

impl TimeAxis {
    pub(crate) fn x(&self, us: u64) -> f64 {
        self.left + (self.right - self.left) * us as f64 / self.end.max(1) as f64
    }

    /// Draws the seconds below a plot, every `step`, with rules up to `top`.
    pub(crate) fn draw(&self, svg: &mut Svg, step: usize, top: f64, bottom: f64) {
        for second in (0..=self.end / 1_000_000).step_by(step) {
            let x = self.x(second * 1_000_000);
            svg.line("rule", [x, top, x, bottom + 4.0], "");
            svg.text("soft", "middle", [x, bottom + 17.0], &format!("{second} s"));
        }
    }
}
