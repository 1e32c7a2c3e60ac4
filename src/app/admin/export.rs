//! Calls as a file, reports and investigations.

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::AdminDesk;
use super::ledger::{Held, LONG, away};
use crate::adapters::clock;
use crate::adapters::ledger::{CallRow, Filter, LedgerError, Order, Page, Question, Reader};
use crate::app::audit::report::{csv, html, json, make, scope};
use crate::app::audit::{investigate, text};
use crate::domain::access::Person;
use crate::domain::investigation::Whom;
use crate::domain::own::OwnOperation;
use crate::domain::report::{Asked, Document, ReportKind};
use crate::edge::admin::desk::{Fault, Form, Period, Reply};
use crate::edge::admin::model;
use crate::types::{CallId, Micros};

/// Calls that are read and written at a time.
const CHUNK: u32 = 1_000;

/// Pieces that wait for a slow reader.
const QUEUE: usize = 4;

pub(super) fn reports() -> model::Reports {
    let reports = ReportKind::ALL.iter().map(|kind| model::ReportShown {
        name: kind.as_str(),
        title: kind.title(),
    });
    model::Reports {
        reports: reports.collect(),
    }
}

/// Writes a document.
pub(super) fn write(document: &Document, form: Form) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let done = match form {
        Form::Html => html::write(&mut out, document),
        Form::Csv => csv::write(&mut out, document),
        Form::Json | Form::JsonLines => json::write(&mut out, document),
    };
    done.map_err(|_| Fault::Failed("the document could not be written".to_owned()))?;
    Ok(out)
}

const fn media(form: Form) -> &'static str {
    match form {
        Form::Json => "application/json",
        Form::Html => "text/html; charset=utf-8",
        Form::Csv => "text/csv; charset=utf-8",
        Form::JsonLines => "application/jsonl",
    }
}

fn reply(document: &Document, form: Form, name: &str) -> Result<Reply, Fault> {
    Ok(Reply::File {
        media: media(form),
        name: (form == Form::Csv).then(|| format!("{name}.csv")),
        body: write(document, form)?.into(),
    })
}

fn rows_of(document: &Document) -> u64 {
    document
        .tables
        .iter()
        .map(|table| table.rows.len() as u64)
        .sum()
}

fn write_rows(rows: &[CallRow], form: Form, is_first: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if form == Form::Csv {
        // A Vec takes everything.
        let _ = text::write_csv(&mut out, rows, is_first);
        return out;
    }
    for row in rows {
        let _ = serde_json::to_writer(&mut out, row);
        out.push(b'\n');
    }
    out
}

impl AdminDesk {
    /// Asks something that reads a whole period, of one state of the ledger. It is made of many
    /// rows, which takes a thread that does not answer others meanwhile.
    async fn ask_long<T, A>(
        &self,
        question: impl FnOnce(Reader) -> A + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, LedgerError>> + Send + 'static,
    {
        // Not given back: it holds still.
        let Held { reader, _turn, .. } = self.readers.hold_long().await?;
        // Dropped with this future, when nobody waits for the answer.
        let (_waits, gone) = oneshot::channel::<()>();
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let _turn = _turn;
            runtime.block_on(async {
                tokio::select! {
                    done = tokio::time::timeout(LONG, question(reader)) => match done {
                        Err(_) => Err(Fault::Timeout),
                        Ok(done) => done.map_err(|error| away(&error)),
                    },
                    _ = gone => Err(Fault::Timeout),
                }
            })
        });
        match work.await {
            Ok(done) => done,
            Err(_) => Err(Fault::Failed("the ledger could not be read".to_owned())),
        }
    }

    /// Makes a report.
    pub(super) async fn document(
        &self,
        kind: ReportKind,
        filter: Filter,
        who: &Person,
    ) -> Result<Document, Fault> {
        let now = clock::now();
        let missing = || {
            let why = "a report is about a period: say where it begins".to_owned();
            Fault::BadParameter("from".to_owned(), why)
        };
        let from = filter.from.ok_or_else(missing)?;
        let to = filter.to.unwrap_or(now);
        if from >= to {
            let why = format!("the period is empty: {from} is not before {to}");
            return Err(Fault::BadParameter("to".to_owned(), why));
        }
        let asked = Asked {
            from,
            to,
            filters: filter.conditions(),
            at: now,
            by: who.name.to_string(),
        };
        let filter = Filter {
            to: Some(to),
            ..filter
        };
        let filter = scope(kind, filter).map_err(|_| {
            Fault::BadParameter(
                "effect".to_owned(),
                "this report is about one effect already".to_owned(),
            )
        })?;
        let place = self.readers.place().clone();
        self.ask_long(move |mut reader| async move {
            make(&mut reader, &place, kind, &filter, asked, |_, _, _| ()).await
        })
        .await
    }

    pub(super) async fn report(
        &self,
        kind: ReportKind,
        question: &Question,
        form: Form,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let filter = self.resolve(self.parts()?, question)?;
        let call = question
            .on_record(OwnOperation::AuditReport, &filter)
            .fact("report", kind);
        let work = async {
            let document = self.document(kind, filter, who).await?;
            let reply = reply(&document, form, kind.as_str())?;
            Ok((reply, Some(rows_of(&document))))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn investigate(
        &self,
        whom: Whom,
        period: Period,
        form: Form,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let now = clock::now();
        let to = period.to.map_or(now, |to| to.resolve(now));
        let length = i64::try_from(investigate::DEFAULT_PERIOD.as_micros()).unwrap_or(i64::MAX);
        let earlier = Micros(to.0.saturating_sub(length));
        let from = period.from.map_or(earlier, |from| from.resolve(now));
        if from >= to {
            let why = format!("the period is empty: {from} is not before {to}");
            return Err(Fault::BadParameter("to".to_owned(), why));
        }
        let filter = Filter {
            from: Some(from),
            to: Some(to),
            banks_only: true,
            ..Filter::default()
        };
        let filter = investigate::about(&whom, &filter);
        // The document has the name in it: what is no caller's name does not come back in an answer.
        let is_known = match &whom {
            Whom::Caller(name) => self.is_caller(self.parts()?, name),
            _ => true,
        };
        let asked = Asked {
            from,
            to,
            filters: filter.conditions(),
            at: now,
            by: who.name.to_string(),
        };
        let call = investigate::on_record(&whom, from, to);
        let place = self.readers.place().to_string();
        let work = async {
            let document = self
                .ask_long(move |mut reader| async move {
                    reader.hold_still().await?;
                    let source = vec![
                        ("ledger", place),
                        ("schema", reader.schema().to_string()),
                        ("made_with", format!("egret {}", crate::app::VERSION)),
                    ];
                    let most = investigate::MAX_SHOWN_CALLS;
                    investigate::gather(&mut reader, whom, &filter, asked, source, most).await
                })
                .await?;
            let rows = rows_of(&document);
            if rows == 0 && !is_known {
                return Err(Fault::NotFound(
                    "no such caller is set up, and none has called in this time".to_owned(),
                ));
            }
            Ok((reply(&document, form, "investigation")?, Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn export(
        &self,
        question: &Question,
        order: Order,
        limit: u64,
        form: Form,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let ready = self.parts()?;
        let filter = self.resolve(ready, question)?;
        let call = question
            .on_record(OwnOperation::AuditExport, &filter)
            .fact("format", form.as_str());
        let open = ready.access.begin(call, who, id).await?;
        let held = match self.readers.hold_long().await {
            Ok(held) => held,
            Err(fault) => {
                open.failed(&fault);
                return Err(fault);
            }
        };
        let (pieces, received) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let (shown, done) = send(held, &filter, order, limit, form, &pieces).await;
            match done {
                Ok(()) => open.succeeded(Some(shown)),
                Err(None) => open.left(shown),
                Err(Some(fault)) => {
                    open.failed(&fault);
                    let _ = pieces
                        .send(Err("the ledger cannot be read on".to_owned()))
                        .await;
                }
            }
        });
        let day = clock::now().to_string();
        Ok(Reply::Stream {
            media: media(form),
            name: format!(
                "calls-{}.{}",
                day.get(..10).unwrap_or("export"),
                form.as_str()
            ),
            pieces: received,
        })
    }
}

/// Sends calls until there are no more; gives how many, and why not all: `None` for a reader that has
/// left.
async fn send(
    mut held: Held,
    filter: &Filter,
    order: Order,
    limit: u64,
    form: Form,
    pieces: &mpsc::Sender<Result<Bytes, String>>,
) -> (u64, Result<(), Option<Fault>>) {
    let (mut shown, mut after) = (0_u64, None);
    loop {
        let left = limit.saturating_sub(shown);
        let page = Page {
            order,
            limit: u32::try_from(left).unwrap_or(CHUNK).min(CHUNK),
            after,
        };
        let found = match held.reader.query(filter, page).await {
            Ok(found) => found,
            Err(error) => return (shown, Err(Some(away(&error)))),
        };
        let piece = write_rows(&found.rows, form, shown == 0);
        if !piece.is_empty() && pieces.send(Ok(piece.into())).await.is_err() {
            return (shown, Err(None));
        }
        shown = shown.saturating_add(found.rows.len() as u64);
        after = found.next;
        if after.is_none() || shown >= limit {
            held.give_back();
            return (shown, Ok(()));
        }
    }
}
