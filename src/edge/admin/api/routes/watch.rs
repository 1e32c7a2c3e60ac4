//! How the gateway is.

use crate::domain::access::Permission::Watch;
use crate::domain::moment::Moment;
use crate::edge::admin::api::route::Method::Get;
use crate::edge::admin::api::route::{Kind, Route, json, query};
use crate::edge::admin::desk::Ask;
use crate::edge::admin::model;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Get,
            "/version",
            Watch,
            "version",
            "The program that runs",
            json::<model::Version>(),
            |_| Ok(Ask::Version),
        ),
        Route::new(
            Get,
            "/health",
            Watch,
            "health",
            "Whether it is well, check by check",
            json::<model::Health>(),
            |_| Ok(Ask::Health),
        ),
        Route::new(
            Get,
            "/now",
            Watch,
            "now",
            "One look at everything, with the last hour if asked for",
            json::<model::Now>(),
            |asked| {
                let since: Option<Moment> = asked.parse("since")?;
                Ok(Ask::Now {
                    history: asked.flag("history")?,
                    since: match since {
                        Some(Moment::At(at)) => Some(at),
                        Some(Moment::Ago(_)) => {
                            let why = "use a moment, as `at` of the last sample";
                            return Err(super::super::asked::bad("since", why));
                        }
                        None => None,
                    },
                })
            },
        )
        .params(vec![
            query("history", Kind::Flag, "The last hour, too"),
            query(
                "since",
                super::filter::MOMENT,
                "Only samples after this moment",
            ),
        ]),
        Route::new(
            Get,
            "/budgets",
            Watch,
            "budgets",
            "What is left of the banks' rate limits",
            json::<model::Budgets>(),
            |_| Ok(Ask::Budgets),
        ),
        Route::new(
            Get,
            "/breakers",
            Watch,
            "breakers",
            "The endpoint groups of the banks and their breakers",
            json::<model::Breakers>(),
            |_| Ok(Ask::Breakers),
        ),
        Route::new(
            Get,
            "/providers",
            Watch,
            "providers",
            "The providers that are served",
            json::<model::Providers>(),
            |_| Ok(Ask::Providers),
        ),
    ]
}
