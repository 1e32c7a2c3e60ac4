//! Account access: who may see which account through which view.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::error::ObpError;
use super::users::HOLDER_ID;
use super::{Obp, text};
use crate::sim::message::Reply;

/// Views that all accounts share.
const SYSTEM_VIEWS: [&str; 8] = [
    "owner",
    "standard",
    "auditor",
    "accountant",
    "firehose",
    "StageOne",
    "ManageCustomViews",
    "ReadAccountsBasic",
];
/// Views whose holders may grant and revoke the system views.
const GRANTING: [&str; 2] = ["owner", "standard"];
/// A custom view that every account here has.
const CUSTOM_VIEW: &str = "_sim";

/// An account: bank id and account id.
pub type Account = (String, String);

/// What is granted.
#[derive(Debug)]
pub struct Access {
    granted: BTreeMap<(Account, String), BTreeSet<String>>,
}

impl Access {
    /// The holder has the owner view of both accounts.
    pub fn new(accounts: &[Account]) -> Self {
        let granted = accounts
            .iter()
            .map(|account| {
                (
                    (account.clone(), HOLDER_ID.to_owned()),
                    BTreeSet::from(["owner".to_owned()]),
                )
            })
            .collect();
        Self { granted }
    }

    /// The views of a user on an account.
    pub fn views(&self, account: &Account, user: &str) -> Vec<String> {
        self.granted
            .get(&(account.clone(), user.to_owned()))
            .map(|views| views.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn add(&mut self, account: &Account, user: &str, view: &str) {
        self.granted
            .entry((account.clone(), user.to_owned()))
            .or_default()
            .insert(view.to_owned());
    }

    fn remove(&mut self, account: &Account, user: &str, view: &str) -> bool {
        self.granted
            .get_mut(&(account.clone(), user.to_owned()))
            .is_some_and(|views| views.remove(view))
    }
}

/// What a view lets one do, as the answer of a grant shows it.
fn describe(view: &str) -> Value {
    let system = !view.starts_with('_');
    json!({
        "id": view,
        "short_name": view.trim_start_matches('_'),
        "description": "A view of the simulator",
        "metadata_view": view,
        "is_public": view == "_public",
        "is_system": system,
        "is_firehose": view == "firehose",
        "alias": "",
        "hide_metadata_if_alias_used": false,
        "can_grant_access_to_views": if GRANTING.contains(&view) { SYSTEM_VIEWS.as_slice() } else { &[] },
        "can_see_transaction_amount": true,
        "can_see_transaction_balance": matches!(view, "owner" | "standard" | "accountant"),
        "can_see_bank_account_balance": true,
        "can_add_comment": view != "ReadAccountsBasic",
    })
}

fn check_view(view: &str, system: bool) -> Result<(), ObpError> {
    if system && !SYSTEM_VIEWS.contains(&view) {
        return Err(ObpError::new(
            404,
            "OBP-30252: System view not found. Please specify a valid value for VIEW_ID.",
        ));
    }
    if !system && view != CUSTOM_VIEW {
        return Err(ObpError::new(
            404,
            "OBP-30005: View not found for Account. Please specify a valid value for VIEW_ID.",
        ));
    }
    Ok(())
}

/// `{"view_id","is_system"}` of a body.
fn view_of(value: Option<&Value>) -> Result<(String, bool), ObpError> {
    let what = "a view with view_id and is_system";
    let view = value.ok_or_else(|| ObpError::bad_json(what))?;
    let id = view.get("view_id").and_then(Value::as_str);
    let system = view.get("is_system").and_then(Value::as_bool);
    match (id, system) {
        (Some(id), Some(system)) => Ok((id.to_owned(), system)),
        _ => Err(ObpError::bad_json(what)),
    }
}

/// One call that grants or revokes.
pub struct Change<'c> {
    pub account: Account,
    /// The view in the path, since v5.1.0; before that any of the caller's counts.
    pub through: Option<&'c str>,
    pub caller: &'c str,
    pub body: &'c serde_json::Map<String, Value>,
}

impl Change<'_> {
    /// The view to grant or revoke: with `is_system` before v5.1.0, by its name since.
    fn view(&self) -> Result<(String, bool), ObpError> {
        if self.through.is_none() {
            return view_of(self.body.get("view"));
        }
        match text(self.body, "view_id") {
            "" => Err(ObpError::bad_json("user_id and view_id")),
            view => Ok((view.to_owned(), !view.starts_with('_'))),
        }
    }
}

impl Obp {
    /// # Errors
    /// 403 OBP-20017 if the caller lacks the view in the path; OBP-20047 if none of the views
    /// that count lets the caller change access. v4 answers that 400, v5.1 403.
    fn may_change(&self, change: &Change<'_>, target: &str) -> Result<(), ObpError> {
        let held = self.access.views(&change.account, change.caller);
        if let Some(through) = change.through
            && !held.iter().any(|view| view == through)
        {
            return Err(ObpError::new(
                403,
                "OBP-20017: Current user does not have access to the view. Please specify a \
                 valid value for VIEW_ID.",
            ));
        }
        let granting = match change.through {
            Some(through) => GRANTING.contains(&through),
            None => held.iter().any(|view| GRANTING.contains(&view.as_str())),
        };
        if granting {
            return Ok(());
        }
        Err(ObpError::new(
            if change.through.is_some() { 403 } else { 400 },
            format!(
                "OBP-20047: The current view does not let this user change access to the target \
                 view. Current ViewId({target}) and current UserId({})",
                change.caller
            ),
        ))
    }

    fn target(&self, change: &Change<'_>) -> Result<String, ObpError> {
        let id = text(change.body, "user_id");
        if id.is_empty() {
            return Err(ObpError::bad_json("user_id"));
        }
        self.users
            .by_id(id)
            .map(|user| user.id.clone())
            .ok_or_else(|| ObpError::new(404, "OBP-20057: User not found by userId."))
    }

    /// `.../account-access/grant`.
    pub(super) fn grant(&mut self, change: &Change<'_>) -> Result<Reply, ObpError> {
        let (view, system) = change.view()?;
        self.may_change(change, &view)?;
        let user = self.target(change)?;
        check_view(&view, system)?;
        self.access.add(&change.account, &user, &view);
        Ok(Reply::json(201, &describe(&view)))
    }

    /// `.../account-access/revoke`. The account holder cannot lose the owner view.
    pub(super) fn revoke(&mut self, change: &Change<'_>) -> Result<Reply, ObpError> {
        let (view, system) = change.view()?;
        self.may_change(change, &view)?;
        let user = self.target(change)?;
        check_view(&view, system)?;
        if view == "owner" && user == HOLDER_ID {
            return Err(ObpError::new(
                400,
                "OBP-30064: Cannot revoke account access.",
            ));
        }
        if !self.access.remove(&change.account, &user, &view) {
            return Err(ObpError::new(404, "OBP-30065: Cannot find account access."));
        }
        Ok(Reply::json(201, &json!({"revoked": true})))
    }

    /// `PUT .../account-access`: first takes every view from the caller, then grants the list.
    pub(super) fn revoke_and_grant(&mut self, change: &Change<'_>) -> Result<Reply, ObpError> {
        let list = change
            .body
            .get("views")
            .and_then(Value::as_array)
            .ok_or_else(|| ObpError::bad_json("views"))?;
        let views = list
            .iter()
            .map(|view| view_of(Some(view)))
            .collect::<Result<Vec<_>, _>>()?;
        self.may_change(change, "views")?;
        for view in self.access.views(&change.account, change.caller) {
            self.access.remove(&change.account, change.caller, &view);
        }
        // Not atomic: a view that does not exist leaves the caller with what came before it.
        for (view, system) in views {
            check_view(&view, system)?;
            self.access.add(&change.account, change.caller, &view);
        }
        Ok(Reply::json(201, &json!({"revoked": true})))
    }

    /// `.../user-account-access`: also makes the user.
    pub(super) fn create_user_with_access(
        &mut self,
        change: &Change<'_>,
    ) -> Result<Reply, ObpError> {
        let (name, provider) = (text(change.body, "username"), text(change.body, "provider"));
        if name.is_empty() || provider.is_empty() {
            return Err(ObpError::bad_json("username and provider"));
        }
        if !provider.starts_with("dauth.") {
            return Err(ObpError::new(
                400,
                "OBP-20103: Invalid DAuth User Provider. The provider must start with dauth.",
            ));
        }
        let views = match change.body.get("views").and_then(Value::as_array) {
            Some(list) => list
                .iter()
                .map(|view| view_of(Some(view)))
                .collect::<Result<Vec<_>, _>>()?,
            None => vec![change.view()?],
        };
        for (view, system) in &views {
            if self.may_change(change, view).is_err() {
                // Unlike the plain grant, this one answers 403 in every version.
                return Err(ObpError::new(
                    403,
                    format!(
                        "OBP-20047: Current ViewId({view}) and current UserId({})",
                        change.caller
                    ),
                ));
            }
            check_view(view, *system)?;
        }
        let user = self
            .users
            .find_or_make(provider, name, &mut self.entropy)
            .ok_or_else(|| ObpError::new(500, "OBP-20059: Could not assign account access."))?;
        for (view, _) in &views {
            self.access.add(&change.account, &user, view);
        }
        let shown: Vec<Value> = views.iter().map(|(view, _)| describe(view)).collect();
        Ok(Reply::json(
            201,
            &if change.through.is_some() {
                shown.into_iter().next().unwrap_or_default()
            } else {
                Value::Array(shown)
            },
        ))
    }
}
