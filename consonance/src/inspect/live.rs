//! The view that stays and changes.

use std::{
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    layout::{Alignment, Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Text},
    widgets::{Block, Cell, Paragraph, Row as TableRow, Table},
};

use super::{
    EVERY,
    source::Source,
    view::{HEADLINES, LEFT, Row, View},
};
use crate::{fail::Fail, server_state::ServerState, stop::stop_flag};

/// How long a key waits at most.
const NAP: Duration = Duration::from_millis(100);

/// Shows the server until somebody has seen enough.
pub(super) fn run(source: &Source, first: ServerState) -> Result<(), Fail> {
    let broken = |error: std::io::Error| Fail::new(format!("the terminal: {error}"), "use --once for a plain table");
    let (stop, states) = (stop_flag(), follow(source.clone()));
    let mut screen = Screen::new(source.name().to_owned(), first);
    // The terminal is put right again at the end, and by its own hook after a panic.
    let mut terminal = ratatui::try_init().map_err(broken)?;
    let mut shown = Ok(());
    while shown.is_ok() && !screen.is_over && !stop.load(Ordering::Relaxed) {
        while let Ok(state) = states.try_recv() {
            screen.on_state(state);
        }
        shown = terminal.draw(|frame| screen.draw(frame)).map(drop);
        shown = shown.and_then(|()| {
            if event::poll(NAP)? {
                screen.on_event(&event::read()?);
            }
            Ok(())
        });
    }
    ratatui::restore();
    shown.map_err(broken)
}

/// Asks again and again, apart from the screen, so that a server that doesn't answer holds up no key.
fn follow(source: Source) -> Receiver<Result<ServerState, Fail>> {
    let (put, states) = channel();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            if put.send(source.state()).is_err() {
                return;
            }
        }
    });
    states
}

struct Screen {
    name: String,
    last: ServerState,
    view: View,
    /// Why the last look failed.
    trouble: Option<Fail>,
    /// The first row that is shown.
    top: usize,
    /// Rows that had room.
    page: usize,
    is_over: bool,
}

impl Screen {
    fn new(name: String, first: ServerState) -> Self {
        let view = View::of(&name, None, &first);
        Self { name, last: first, view, trouble: None, top: 0, page: 1, is_over: false }
    }

    fn on_state(&mut self, state: Result<ServerState, Fail>) {
        match state {
            Ok(state) => {
                self.view = View::of(&self.name, Some(&self.last), &state);
                (self.last, self.trouble) = (state, None);
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn on_event(&mut self, event: &Event) {
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) = event
        else {
            return;
        };
        match code {
            KeyCode::Char('q') | KeyCode::Esc => self.is_over = true,
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => self.is_over = true,
            KeyCode::Down => self.top += 1,
            KeyCode::Up => self.top = self.top.saturating_sub(1),
            KeyCode::PageDown => self.top += self.page,
            KeyCode::PageUp => self.top = self.top.saturating_sub(self.page),
            KeyCode::Home => self.top = 0,
            KeyCode::End => self.top = usize::MAX,
            _ => {}
        }
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let lines = self.view.lines.len() as u16 + u16::from(self.trouble.is_some());
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(lines + 1), Constraint::Min(3), Constraint::Length(1)])
                .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        // Borders above and below, and the headlines.
        self.page = usize::from(body.height.saturating_sub(3)).max(1);
        self.top = self.top.min(self.view.rows.len().saturating_sub(self.page));
        let shown = self.view.rows.iter().skip(self.top).take(self.page);
        frame.render_widget(table(shown).block(Block::bordered()), body);
        let last = (self.top + self.page).min(self.view.rows.len());
        let keys = format!(
            " {} to {last} of {}; arrows and pages scroll, q leaves",
            self.top + usize::from(last > 0),
            self.view.rows.len()
        );
        frame.render_widget(Line::from(keys).style(Modifier::DIM), foot);
    }

    fn head(&self) -> Text<'_> {
        let mut text: Text<'_> = self.view.lines.iter().map(|line| Line::from(line.as_str())).collect();
        if let Some(first) = text.lines.first_mut() {
            first.style = Modifier::BOLD.into();
        }
        if let Some(trouble) = &self.trouble {
            text.push_line(Line::from(format!("this is old: {trouble}")).style(Color::Red));
        }
        text
    }
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> Table<'a> {
    let cells = |texts: &[&'a str]| {
        let aligned = |(column, text): (usize, &&'a str)| {
            let side = if column < LEFT { Alignment::Left } else { Alignment::Right };
            Cell::from(Text::from(*text).alignment(side))
        };
        TableRow::new(texts.iter().enumerate().map(aligned).collect::<Vec<_>>())
    };
    let style = |row: &Row| match (row.reconnecting, row.speaking) {
        (true, _) => Style::from(Color::Yellow),
        (_, true) => Style::from(Color::Green),
        _ => Style::default(),
    };
    let widths = [
        Constraint::Fill(2),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(6),
    ];
    let rows = rows.map(|row| {
        let texts: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        cells(&texts).style(style(row))
    });
    Table::new(rows, widths).header(cells(&HEADLINES).style(Modifier::BOLD))
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::inspect::view::tests::two_moments;

    fn shown(screen: &mut Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn press(screen: &mut Screen, code: KeyCode) {
        screen.on_event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    #[test]
    fn the_screen_shows_the_server_and_its_people() {
        let (before, now) = two_moments();
        let mut screen = Screen::new("localhost".into(), before);
        screen.on_state(Ok(now));
        let text = shown(&mut screen, 100, 20);
        for wanted in ["up 1 min 42 s", "1000 out", "waited 3 (10)", "Lobby", "Scout", "speaks", "muted, deaf", "12.5"]
        {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(text.contains("1 to 4 of 4") && !text.contains('\u{1b}') && text.contains("Medic\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn who_does_not_fit_comes_by_scrolling_and_no_key_goes_past_the_end() {
        let (before, now) = two_moments();
        let mut screen = Screen::new("localhost".into(), before);
        screen.on_state(Ok(now));
        let first = shown(&mut screen, 100, 11);
        assert!(first.contains("Attic") && !first.contains("Pilot"), "{first}");
        for code in [KeyCode::End, KeyCode::Down, KeyCode::PageDown] {
            press(&mut screen, code);
            let last = shown(&mut screen, 100, 11);
            assert!(last.contains("Pilot") && last.contains("of 4"), "{last}");
        }
        press(&mut screen, KeyCode::Home);
        assert_eq!(shown(&mut screen, 100, 11), first);
        // However small the terminal is.
        for (width, height) in [(1, 1), (10, 3), (80, 2)] {
            shown(&mut screen, width, height);
        }
        press(&mut screen, KeyCode::Char('q'));
        assert!(screen.is_over);
    }

    #[test]
    fn a_server_that_is_gone_leaves_the_last_view_and_says_so() {
        let (before, now) = two_moments();
        let mut screen = Screen::new("localhost".into(), before);
        screen.on_state(Err(Fail::new("localhost: no HTTP answer", "look")));
        let text = shown(&mut screen, 100, 20);
        assert!(text.contains("this is old: localhost: no HTTP answer") && text.contains("Scout"), "{text}");
        screen.on_state(Ok(now));
        assert!(!shown(&mut screen, 100, 20).contains("this is old"));
    }
}
