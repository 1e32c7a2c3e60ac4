//! Records in bulk, reports and evidence.

use super::calls::{DOCUMENT_MEDIA, DOCUMENTS, ORDERS, form, order};
use super::filter;
use crate::domain::access::Permission::Export;
use crate::domain::report::ReportKind;
use crate::edge::admin::api::asked::bad;
use crate::edge::admin::api::route::Method::{Get, Post};
use crate::edge::admin::api::route::{Answer, Kind, Param, Route, Shape, json, path, query};
use crate::edge::admin::desk::{Ask, Form};
use crate::edge::admin::model;
use crate::types::CallId;

/// Most calls in one file. More is a job for `egret audit export`, which can go on where it stopped.
const MAX_EXPORT: u64 = 1_000_000;

/// Most calls whose proofs are in one pack.
const MAX_PROOFS: usize = 40;

const FILES: [Form; 2] = [Form::JsonLines, Form::Csv];

fn reports() -> Vec<(&'static str, ReportKind)> {
    let all = ReportKind::ALL.iter();
    all.map(|kind| (kind.as_str(), *kind)).collect()
}

fn report_words() -> Kind {
    Kind::Words(reports().into_iter().map(|(word, _)| word).collect())
}

fn with(mut params: Vec<Param>, more: impl IntoIterator<Item = Param>) -> Vec<Param> {
    params.extend(more);
    params
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Get,
            "/calls/export",
            Export,
            "exportCalls",
            "Calls as a file, every field",
            Answer::File(&["application/jsonl", "text/csv"]),
            |asked| {
                Ok(Ask::Export {
                    question: Box::new(filter::read(asked)?),
                    order: asked.word("order", &ORDERS)?.unwrap_or(ORDERS[1].1),
                    limit: asked.number("limit", 1..=MAX_EXPORT)?.unwrap_or(MAX_EXPORT),
                    form: asked.form(&FILES)?.unwrap_or(Form::JsonLines),
                })
            },
        )
        .params(with(
            filter::params(),
            [
                form(&FILES),
                order(),
                query("limit", Kind::Number(1, MAX_EXPORT), "At most so many"),
            ],
        )),
        Route::new(
            Get,
            "/reports",
            Export,
            "reports",
            "The kinds of reports",
            json::<model::Reports>(),
            |_| Ok(Ask::Reports),
        ),
        Route::new(
            Get,
            "/reports/{name}",
            Export,
            "report",
            "A report on a period",
            Answer::Document(Shape::of::<model::Document>(), DOCUMENT_MEDIA),
            |asked| {
                let kind = asked.word("name", &reports())?;
                Ok(Ask::Report {
                    kind: kind.ok_or_else(|| bad("name", "it is missing"))?,
                    question: Box::new(filter::read(asked)?),
                    form: asked.form(&DOCUMENTS)?.unwrap_or(Form::Json),
                })
            },
        )
        .params(with(
            filter::params()
                .into_iter()
                .map(|param| match param.name {
                    "from" => param.required(),
                    _ => param,
                })
                .collect(),
            [form(&DOCUMENTS), path("name", report_words(), "Its name")],
        )),
        Route::new(
            Get,
            "/evidence",
            Export,
            "evidence",
            "The signed log: its keys and its newest checkpoint",
            json::<model::Evidence>(),
            |_| Ok(Ask::Evidence),
        ),
        Route::new(
            Post,
            "/evidence/verify",
            Export,
            "verifyEvidence",
            "Check that nothing was changed: journal, checkpoints and signatures",
            json::<model::Verified>(),
            |asked| {
                asked.body::<model::EmptyBody>()?;
                Ok(Ask::VerifyEvidence)
            },
        )
        .body::<model::EmptyBody>()
        .also(&[409]),
        Route::new(
            Get,
            "/evidence/pack",
            Export,
            "evidencePack",
            "A report, proofs of calls, the newest checkpoint and the keys, as one tar file",
            Answer::File(&["application/x-tar"]),
            |asked| {
                let calls = asked.all("call").map(|id| {
                    id.parse::<CallId>()
                        .map_err(|_| bad("call", "use a whole call id"))
                });
                let calls: Vec<_> = calls.collect::<Result<_, _>>()?;
                Ok(Ask::Pack {
                    report: asked.word("report", &reports())?,
                    question: Box::new(filter::read(asked)?),
                    calls,
                })
            },
        )
        .params(with(
            filter::params(),
            [
                query(
                    "report",
                    report_words(),
                    "The report in it; it needs `from`",
                ),
                query("call", filter::CALL_ID, "A call whose proof is in it").many(MAX_PROOFS),
            ],
        ))
        .also(&[404, 409]),
    ]
}
