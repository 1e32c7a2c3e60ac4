//! Changes of the running gateway: what is logged, breakers.

use super::AdminDesk;
use super::now::breaker;
use crate::adapters::log;
use crate::domain::access::Person;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::edge::admin::desk::{Fault, Reply};
use crate::edge::admin::model;
use crate::types::CallId;

impl AdminDesk {
    pub(super) async fn log_filter(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AdminSetup).fact("part", "log");
        let work = async {
            let filter = match log::handle() {
                Some(log) => log.filter(),
                None => self.config().log.filter.clone(),
            };
            Ok((Reply::json(&model::LogFilter { filter }), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn set_log_filter(
        &self,
        filter: String,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AdminLog);
        let work = async {
            let log = log::handle().ok_or_else(|| {
                Fault::Conflict("this process has no log whose filter could change".to_owned())
            })?;
            log.set_filter(&filter)
                .map_err(|why| Fault::BadBody(format!("filter: {why}")))?;
            let filter = log.filter();
            tracing::warn!(target: "egret::admin", by = &*who.name, "what is logged was changed");
            Ok((Reply::json(&model::LogFilter { filter }), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn reset_breaker(
        &self,
        name: &str,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let groups = self.health.groups();
        let group = groups.iter().find(|group| &*group.name == name);
        let group = group.ok_or_else(|| {
            Fault::NotFound("there is no such breaker; GET /api/v1/breakers names them".to_owned())
        })?;
        let call = OwnCall::new(OwnOperation::BreakerReset).fact("of_group", &group.name);
        let work = async {
            group.reset();
            tracing::warn!(target: "egret::breaker", group = &*group.name, by = &*who.name, "a breaker was reset");
            Ok((Reply::json(&breaker(&group.vitals())), None))
        };
        self.recorded(call, who, id, work).await
    }

    /// What a person wrote goes on record and into messages, so nothing that must not be there may
    /// be in it.
    pub(super) fn without_secrets(&self, reason: &str) -> Result<String, Fault> {
        let redactor = &self.parts()?.parts.redactor;
        Ok(crate::app::audit::without_secrets(redactor, reason))
    }
}
