//! The text format of Prometheus.

use std::fmt::Write;

/// Builds the text format: each metric with its kind and what it is.
#[derive(Default)]
pub(super) struct Metrics(String);

impl Metrics {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.one("gauge", name, help, &[("", value)]);
    }

    /// A counter, with a value for each label such as `reason="late"`, or one for no label.
    pub(super) fn counter(&mut self, name: &str, help: &str, values: &[(&str, u64)]) {
        self.one("counter", name, help, values);
    }

    /// A counter of what was dropped, by reason.
    pub(super) fn drops<'a>(&mut self, of: &str, help: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
        self.by("reason", &format!("{of}_dropped_total"), help, values);
    }

    /// A counter with a value for each value of one label.
    pub(super) fn by<'a>(
        &mut self,
        label: &str,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        let values: Vec<_> = values.into_iter().map(|(of, count)| (format!("{label}=\"{of}\""), count)).collect();
        let values: Vec<(&str, u64)> = values.iter().map(|(label, count)| (label.as_str(), *count)).collect();
        self.counter(name, help, &values);
    }

    fn one(&mut self, kind: &str, name: &str, help: &str, values: &[(&str, u64)]) {
        let _ = writeln!(self.0, "# HELP consonance_{name} {help}\n# TYPE consonance_{name} {kind}");
        for (label, value) in values {
            let label = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
            let _ = writeln!(self.0, "consonance_{name}{label} {value}");
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
