//! The picture.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Gauge, Paragraph, Row, Sparkline, Table};

use super::View;
use crate::domain::config::show_duration;
use crate::domain::health::{BankGlance, BudgetGlance, Glance, GroupGlance, RecordGlance};

const GOOD: Color = Color::Green;
const DOUBTFUL: Color = Color::Yellow;
const BAD: Color = Color::Red;

/// A budget is scarce below this part, and nearly used up below the other.
const SCARCE: (f64, f64) = (0.25, 0.1);

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let [head, course, banks, middle, record, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(5),
        Constraint::Fill(2),
        Constraint::Fill(3),
        Constraint::Length(6),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(foot_line(view), foot);
    let Some(glance) = &view.glance else {
        let text = match &view.fault {
            Some(fault) => Line::styled(fault.as_str(), Style::new().fg(BAD)),
            None => Line::from("looking …"),
        };
        frame.render_widget(Paragraph::new(text).block(block("egret")), head);
        return;
    };
    frame.render_widget(summary(view, glance), head);
    draw_course(frame, course, view);
    frame.render_widget(bank_table(&glance.banks), banks);
    let [budgets, groups] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
    draw_budgets(frame, budgets, &glance.budgets);
    frame.render_widget(group_table(&glance.groups), groups);
    frame.render_widget(record_text(glance.record.as_ref()), record);
}

fn block(title: &str) -> Block<'_> {
    Block::bordered()
        .border_style(Style::new().fg(Color::DarkGray))
        .title(Span::styled(
            format!(" {title} "),
            Style::new().add_modifier(Modifier::BOLD),
        ))
}

fn foot_line(view: &View) -> Line<'_> {
    let keys = if view.is_printed {
        String::new()
    } else {
        format!(
            "q ends  p {}  +/- every {}  ",
            if view.is_held { "goes on" } else { "holds" },
            show_duration(view.interval),
        )
    };
    let mut spans = vec![Span::raw(format!(" {keys}{}", view.address))];
    if let Some(fault) = view.fault.as_deref().filter(|_| view.glance.is_some()) {
        spans.push(Span::styled(format!("  {fault}"), Style::new().fg(BAD)));
    }
    Line::from(spans).style(Style::new().add_modifier(Modifier::DIM))
}

fn summary<'a>(view: &View, glance: &'a Glance) -> Paragraph<'a> {
    let state = match glance {
        _ if view.fault.is_some() => ("not answering".to_owned(), BAD),
        Glance { draining: true, .. } => ("stopping".to_owned(), DOUBTFUL),
        Glance { ready: true, .. } => ("ready".to_owned(), GOOD),
        _ => (format!("not ready: {}", glance.red.join(", ")), BAD),
    };
    let [half, most, nearly_all] = glance.times.map(seconds);
    let first = Line::from(vec![
        Span::styled(
            state.0,
            Style::new().fg(state.1).add_modifier(Modifier::BOLD),
        ),
        Span::raw(format!("   {}/s   failed ", figure(glance.calls))),
        percent(glance.failed, 0.02, 0.1),
        Span::raw(format!("   p50 {half}  p95 {most}  p99 {nearly_all}")),
    ]);
    let mut second = vec![Span::raw(format!(
        "in flight {:.0}   connections {:.0}   minted {}/min   ",
        glance.in_flight,
        glance.connections,
        figure(glance.mints)
    ))];
    if let Some(incidents) = glance.incidents {
        second.push(counted("incidents", incidents));
    }
    second.push(counted("locks", glance.locks));
    Paragraph::new(vec![first, Line::from(second)]).block(
        Block::bordered()
            .border_style(Style::new().fg(Color::DarkGray))
            .title(format!(" egret {} ", glance.version)),
    )
}

/// What should be none.
fn counted(what: &str, count: f64) -> Span<'static> {
    let colour = if count > 0.0 { BAD } else { GOOD };
    Span::styled(format!("{what} {count:.0}   "), Style::new().fg(colour))
}

fn draw_course(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let block = block("calls a second");
    let inside = block.inner(area);
    let room = usize::from(inside.width);
    let skipped = view.course.len().saturating_sub(room);
    let newest = view.course.iter().skip(skipped);
    // Tenths, so that slow traffic can be seen as well.
    let bars: Vec<u64> = newest.map(|calls| (calls * 10.0).round() as u64).collect();
    frame.render_widget(block, area);
    frame.render_widget(
        Sparkline::default()
            .data(bars)
            .style(Style::new().fg(Color::Cyan)),
        inside,
    );
}

fn bank_table(banks: &[BankGlance]) -> Table<'_> {
    let rows = banks.iter().map(|bank| {
        Row::new([
            Cell::from(bank.provider.as_str()),
            right(figure(bank.calls)),
            Cell::from(Line::from(percent(bank.failed, 0.02, 0.1)).right_aligned()),
            right(seconds(bank.times[0])),
            right(seconds(bank.times[1])),
        ])
    });
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
    ];
    Table::new(rows, widths)
        .header(heads(["bank", "calls/s", "failed", "its p50", "its p95"]))
        .block(block("banks"))
}

fn draw_budgets(frame: &mut Frame<'_>, area: Rect, budgets: &[BudgetGlance]) {
    let block = block("limits, what is left of them");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    for (line, budget) in budgets.iter().take(usize::from(inside.height)).enumerate() {
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        let row = Rect {
            y: inside.y.saturating_add(line),
            height: 1,
            ..inside
        };
        let [name, bar, waiting] = Layout::horizontal([
            Constraint::Fill(1),
            Constraint::Length(18),
            Constraint::Length(12),
        ])
        .areas(row);
        let left = budget.left();
        let colour = match left {
            _ if left < SCARCE.1 => BAD,
            _ if left < SCARCE.0 => DOUBTFUL,
            _ => GOOD,
        };
        let text = format!("{:.0}/{:.0}", budget.remaining, budget.limit);
        frame.render_widget(Line::from(budget.name.as_str()), name);
        let gauge = Gauge::default().ratio(left).label(text);
        frame.render_widget(
            gauge.gauge_style(Style::new().fg(colour).bg(Color::DarkGray)),
            bar,
        );
        let refused = if budget.refused > 0.0 {
            Span::styled(
                format!(" -{}/s", figure(budget.refused)),
                Style::new().fg(BAD),
            )
        } else if budget.waiting > 0.0 {
            Span::styled(
                format!(" {:.0} wait", budget.waiting),
                Style::new().fg(DOUBTFUL),
            )
        } else {
            Span::raw("")
        };
        frame.render_widget(Line::from(refused), waiting);
    }
}

fn group_table(groups: &[GroupGlance]) -> Table<'_> {
    let rows = groups.iter().map(|group| {
        let (state, colour) = if group.open {
            ("open", BAD)
        } else {
            ("closed", GOOD)
        };
        Row::new([
            Cell::from(group.name.as_str()),
            Cell::from(Span::styled(state, Style::new().fg(colour))),
            right(format!("{:.0}/{:.0}", group.in_flight, group.limit)),
            right(format!("{:.0}", group.waiting)),
        ])
    });
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(7),
        Constraint::Length(10),
        Constraint::Length(5),
    ];
    Table::new(rows, widths)
        .header(heads(["part of a bank", "breaker", "in flight", "wait"]))
        .block(block("breakers and places"))
}

fn record_text(record: Option<&RecordGlance>) -> Paragraph<'static> {
    let Some(record) = record else {
        return Paragraph::new("being opened").block(block("record"));
    };
    let state = |failing: bool| match failing {
        true => Span::styled("FAILING", Style::new().fg(BAD).add_modifier(Modifier::BOLD)),
        false => Span::styled("well", Style::new().fg(GOOD)),
    };
    let lost = if record.lost > 0.0 { BAD } else { GOOD };
    let lag = match record.lag {
        lag if lag > 60.0 => BAD,
        lag if lag > 5.0 => DOUBTFUL,
        _ => GOOD,
    };
    let journal = Line::from(vec![
        Span::raw("journal   "),
        state(record.journal_failing),
        Span::raw(format!("   commit p99 {}   holds ", seconds(record.commit))),
        percent(Some(record.held), 0.1, 0.5),
        Span::raw(" of its room   not recorded "),
        Span::styled(format!("{}/s", figure(record.lost)), Style::new().fg(lost)),
    ]);
    let ledger = Line::from(vec![
        Span::raw("ledger    "),
        state(record.ledger_failing),
        Span::raw("   behind "),
        Span::styled(seconds(Some(record.lag)), Style::new().fg(lag)),
        Span::raw(format!("   {} rows/s", figure(record.rows))),
    ]);
    let evidence = match record.unsealed {
        None => Line::from("evidence  off"),
        Some(unsealed) => Line::from(vec![
            Span::raw("evidence  "),
            state(record.evidence_failing),
            Span::raw(format!("   {unsealed:.0} events wait for a signature")),
        ]),
    };
    Paragraph::new(vec![journal, ledger, evidence]).block(block("record"))
}

fn heads<const N: usize>(names: [&'static str; N]) -> Row<'static> {
    let cells = names.into_iter().enumerate().map(|(at, name)| match at {
        0 => Cell::from(name),
        _ => right(name.to_owned()),
    });
    Row::new(cells).style(Style::new().add_modifier(Modifier::DIM))
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn percent(part: Option<f64>, doubtful: f64, bad: f64) -> Span<'static> {
    let Some(part) = part else {
        return Span::raw("–");
    };
    let colour = match part {
        part if part >= bad => BAD,
        part if part >= doubtful => DOUBTFUL,
        _ => GOOD,
    };
    Span::styled(format!("{:.1} %", part * 100.0), Style::new().fg(colour))
}

/// A figure in about three digits.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        0.0 => "0".to_owned(),
        value => format!("{value:.1}"),
    }
}

/// A time in the unit that it is best told in.
fn seconds(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value >= 10.0 => format!("{value:.0} s"),
        Some(value) if value >= 1.0 => format!("{value:.1} s"),
        Some(value) if value >= 0.01 => format!("{:.0} ms", value * 1e3),
        Some(value) if value > 0.0 => format!("{:.1} ms", value * 1e3),
        Some(_) => "0 s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        terminal.backend().to_string()
    }

    fn view() -> View {
        View {
            address: "127.0.0.1:9464".to_owned(),
            interval: Duration::from_secs(2),
            glance: Some(Glance {
                version: "0.1.0".to_owned(),
                ready: false,
                red: vec!["ledger".to_owned()],
                calls: 12.5,
                failed: Some(0.25),
                times: [Some(0.02), Some(0.3), Some(1.5)],
                locks: 1.0,
                incidents: Some(2.0),
                banks: vec![BankGlance {
                    provider: "cybrid".to_owned(),
                    calls: 12.5,
                    failed: None,
                    times: [Some(0.004), None],
                }],
                budgets: vec![BudgetGlance {
                    name: "cybrid.general".to_owned(),
                    limit: 100.0,
                    remaining: 7.0,
                    waiting: 3.0,
                    refused: 0.0,
                }],
                groups: vec![GroupGlance {
                    name: "cybrid.sandbox.bank".to_owned(),
                    open: true,
                    in_flight: 3.0,
                    limit: 64.0,
                    waiting: 0.0,
                }],
                record: Some(RecordGlance {
                    journal_failing: false,
                    held: 0.01,
                    commit: Some(0.0008),
                    lost: 0.0,
                    lag: 90.0,
                    rows: 12.0,
                    ledger_failing: true,
                    unsealed: Some(4.0),
                    evidence_failing: false,
                }),
                ..Glance::default()
            }),
            ..View::default()
        }
    }

    #[test]
    fn all_that_matters_is_in_the_picture() {
        let text = drawn(&view(), 100, 30);
        for wanted in [
            "not ready: ledger",
            "12.5/s",
            "25.0 %",
            "p99 1.5 s",
            "incidents 2",
            "locks 1",
            "cybrid.general",
            "7/100",
            "3 wait",
            "cybrid.sandbox.bank",
            "open",
            "3/64",
            "commit p99 0.8 ms",
            "behind 90 s",
            "FAILING",
            "4 events wait",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_said() {
        let mut view = View {
            fault: Some("no answer from 127.0.0.1:9464".to_owned()),
            ..View::default()
        };
        assert!(drawn(&view, 80, 24).contains("no answer from"));
        view.glance = self::view().glance;
        assert!(drawn(&view, 80, 24).contains("not answering"));
    }

    #[test]
    fn any_size_can_be_drawn_on() {
        for (width, height) in [(1, 1), (20, 3), (40, 10), (300, 80)] {
            drawn(&view(), width, height);
        }
    }
}
