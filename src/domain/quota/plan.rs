//! Which budgets there are, and which of them a call spends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::budget::BudgetSettings;
use super::room::RoomSettings;
use crate::domain::catalog::{Provider, RateKey, RateLimit};
use crate::domain::config::{BudgetKey, BudgetRule, Budgets};
use crate::domain::record::CallRecord;
use crate::types::TokenType;

/// One place in this many is kept for money: a call that moves money finds one although all the
/// others wait. What is kept and not needed is lost, so it is little.
const KEPT_FOR_MONEY: u32 = 50;

/// Most calls of a window that are counted: each takes eight bytes while it counts. A bank that
/// allows more is used as if it allowed this.
const MAX_LIMIT: u32 = 1_000_000;

/// A budget as it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name: provider and limit, such as `cybrid.general`.
    pub name: Arc<str>,
    /// What the bank counts by.
    pub per: BudgetKey,
    /// How it works.
    pub settings: BudgetSettings,
    /// The status with which the bank refuses.
    pub status: u16,
    /// The operations that spend it; empty for those that no other budget lists.
    pub operations: Vec<Arc<str>>,
    /// Only calls without a credential spend it.
    pub anonymous_only: bool,
    /// It is spent by calls of this length at most: the longest that one of them may take.
    pub longest_call: Duration,
}

/// The budgets of a provider.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    plans: Vec<Arc<Plan>>,
    /// Places in `plans`, of the operations that a budget lists.
    listed: HashMap<Arc<str>, SmallVec<[usize; 2]>>,
    /// Places of those that list none.
    general: SmallVec<[usize; 2]>,
    /// Ids of those that are switched off.
    off: Vec<Arc<str>>,
}

/// What is told apart within a budget: each has one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Nothing: all that leaves here spends the same.
    All,
    /// A credential, a consumer or an account, as a keyed hash.
    Of([u8; 16]),
    /// A caller of the gateway.
    Caller(Arc<str>),
}

impl Plans {
    /// The budgets of a provider: those that its file documents with numbers, as the configuration
    /// changes them, and those that only the configuration has. `longest_call` is the longest that
    /// any call to the provider may take.
    pub fn resolve(
        provider: &Provider,
        rules: &std::collections::BTreeMap<Arc<str>, BudgetRule>,
        budgets: &Budgets,
        longest_call: Duration,
    ) -> Self {
        let known = provider.rate_limits.iter();
        let of_file = known.map(|limit| (&limit.id, Some(limit), rules.get(&limit.id)));
        let is_known = |id: &Arc<str>| provider.rate_limits.iter().any(|limit| limit.id == *id);
        let added = rules.iter().filter(|(id, _)| !is_known(id));
        let added = added.map(|(id, rule)| (id, None, Some(rule)));
        let mut plans = Self::default();
        for (id, limit, rule) in of_file.chain(added) {
            if rule.is_some_and(|rule| rule.off) {
                plans.off.push(Arc::clone(id));
            }
            let name = format!("{}.{id}", provider.id);
            plans.add(name.into(), limit, rule, budgets, longest_call);
        }
        plans
    }

    fn add(
        &mut self,
        name: Arc<str>,
        limit: Option<&RateLimit>,
        rule: Option<&BudgetRule>,
        budgets: &Budgets,
        longest_call: Duration,
    ) {
        let rule = rule.cloned().unwrap_or_default();
        let operations = rule.operations.as_ref();
        let operations = operations
            .or(limit.map(|limit| &limit.operations))
            .cloned()
            .unwrap_or_default();
        // What is switched off is counted by nobody, not by the others.
        for operation in &operations {
            self.listed.entry(Arc::clone(operation)).or_default();
        }
        let count = rule.limit.or(limit.and_then(|limit| limit.limit));
        let span = rule.window.or(limit.and_then(|limit| limit.window));
        let (Some(count), Some(span), false) = (count, span, rule.off) else {
            return;
        };
        let count = count.min(MAX_LIMIT);
        let settings = BudgetSettings {
            limit: count,
            span,
            kept_for_money: count / KEPT_FOR_MONEY,
            room: RoomSettings {
                waiting: budgets.waiting,
                waiting_per_caller: budgets.waiting_per_caller,
                shares: budgets.shares,
            },
            shadow: rule.shadow.unwrap_or(budgets.shadow),
        };
        let plan = Plan {
            name,
            per: rule
                .per
                .or(limit.map(|limit| key_of(limit.per)))
                .unwrap_or(BudgetKey::Address),
            settings,
            status: rule
                .status
                .or(limit.map(|limit| limit.status))
                .unwrap_or(429),
            anonymous_only: limit.is_some_and(|limit| limit.anonymous_only),
            operations,
            longest_call,
        };
        let at = self.plans.len();
        if plan.operations.is_empty() {
            self.general.push(at);
        }
        for operation in &plan.operations {
            self.listed
                .entry(Arc::clone(operation))
                .or_default()
                .push(at);
        }
        self.plans.push(Arc::new(plan));
    }

    /// Every budget.
    pub fn all(&self) -> &[Arc<Plan>] {
        &self.plans
    }

    /// The limits of a provider's file that are not kept, since nobody gives their numbers; those
    /// that are switched off are not among them.
    pub fn unknown<'f>(&'f self, provider: &'f Provider) -> impl Iterator<Item = &'f Arc<str>> {
        let limits = provider.rate_limits.iter();
        let without = limits.filter(|limit| limit.limit.is_none() || limit.window.is_none());
        let ids = without.map(|limit| &limit.id);
        ids.filter(|id| !self.off.contains(*id) && !self.has(id))
    }

    fn has(&self, id: &str) -> bool {
        let mut plans = self.plans.iter();
        plans.any(|plan| plan.name.rsplit_once('.').is_some_and(|(_, of)| of == id))
    }

    /// The budgets that a call spends, always in the same order: two calls that need the same two
    /// never wait for each other. A call that matches no operation spends the general ones.
    pub fn of<'p>(
        &'p self,
        operation: Option<&str>,
        record: &CallRecord,
    ) -> SmallVec<[(&'p Arc<Plan>, Part); 2]> {
        if self.plans.is_empty() {
            return SmallVec::new();
        }
        let listed = operation.and_then(|operation| self.listed.get(operation));
        let places = listed.unwrap_or(&self.general).iter();
        let plans = places.filter_map(|at| self.plans.get(*at));
        plans
            .filter_map(|plan| Some((plan, plan.part(record)?)))
            .collect()
    }
}

impl Plan {
    /// Which part of the budget a call spends; `None` if it spends nothing of it.
    fn part(&self, record: &CallRecord) -> Option<Part> {
        let is_anonymous = record.credential.token_type == TokenType::Anonymous;
        if self.anonymous_only {
            return is_anonymous.then_some(Part::All);
        }
        let of_token = |kind: &str| {
            let mut subjects = record.subjects.iter();
            let subject = subjects.find(|subject| {
                subject.role == crate::domain::record::SubjectRole::Token && &*subject.kind == kind
            });
            subject
                .and_then(|subject| subject.pseudonym)
                // Of whom it is cannot be told: one budget for all is on the safe side.
                .map_or(Part::All, |pseudonym| Part::Of(*pseudonym.as_bytes()))
        };
        match self.per {
            BudgetKey::Address => Some(Part::All),
            BudgetKey::Caller => Some(
                record
                    .caller
                    .name
                    .as_ref()
                    .map_or(Part::All, |name| Part::Caller(Arc::clone(name))),
            ),
            _ if is_anonymous => None,
            BudgetKey::Consumer => Some(of_token("consumer")),
            BudgetKey::Account => Some(of_token("account")),
            BudgetKey::Token => Some(
                record
                    .credential
                    .fingerprint
                    .map_or(Part::All, |token| Part::Of(*token.as_bytes())),
            ),
        }
    }
}

const fn key_of(key: RateKey) -> BudgetKey {
    match key {
        RateKey::SourceIp => BudgetKey::Address,
        RateKey::Consumer => BudgetKey::Consumer,
        RateKey::Account => BudgetKey::Account,
    }
}
